"""NaN or infinite values reach the model through its input or its labels.

## Meaning
At least one element of a batch of inputs, or of what they are to be mapped to, is NaN or infinite.

## Why it matters
One NaN makes the loss of its batch NaN, and with it every gradient and, one update later, every
weight. Nothing after that step can be trusted.

## How it is measured
`input_nonfinite` counts the elements of each input batch that are not finite; one is enough.
Where `input_features` is recorded, the features that contained them are named. The finding is
an error if the loss is not finite either or not known, and a warning if the loss stays finite,
because then the model takes care of such values itself. A feature of which no value was finite
so far is told apart: it was made so, and dropping its samples would drop all of them.
Targets of a regression are features too, and labels are not finite where `label_counts` is not;
they are told where the loss is not finite either.

## Likely causes
- missing values that were read as NaN
- a division by a standard deviation of zero, which makes a constant feature NaN in every sample
- a logarithm of zero in the preparation
- numbers that do not fit into float16

## Fixes
Find the samples, then drop them or fill in their values before training. A feature that is never
finite needs a divisor other than zero, or is left out.

## False alarms
Models that use NaN to mark missing values and mask it before the first multiplication.

## References
- Zhang et al., An Empirical Study on TensorFlow Program Bugs, ISSTA 2018
"""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import case, features
from tensorboard_gradhealth.rules._support import bad_labels, nonfinite_onset
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, quoted, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row

_SAMPLES = (
    Fix("Find the samples.", "bad = ~np.isfinite(x_train).reshape(len(x_train), -1).all(1)"),
    Fix("Drop them, or fill in the values.", "x_train, y_train = x_train[~bad], y_train[~bad]"),
)
_LABELS = (
    Fix("Find the samples.", "bad = ~np.isfinite(y_train).reshape(len(y_train), -1).all(1)"),
    Fix("Drop them: a made-up label teaches something wrong.", _SAMPLES[1].code),
)
_FEATURES = (
    Fix(
        "Standardise the raw data with a divisor of 1 where the standard deviation is 0.",
        "mean, std = x_train.mean(0), x_train.std(0)\n"
        "std[std == 0] = 1\n"
        "x_train = (x_train - mean) / std",
    ),
    Fix(
        "Or leave out the features that are never finite.",
        "kept = np.isfinite(x_train).reshape(-1, x_train.shape[-1]).any(0)\n"
        "x_train = x_train[..., kept]",
    ),
)


def check(view: View) -> Sign | None:
    """A sign at the record whose batches had values that are not finite."""
    if not any(view.has(s) for s in ("input_nonfinite", "input_features", "label_counts")):
        raise NotEvaluated("neither inputs nor labels were looked at")
    return _inputs(view) or _labels(view)


def _inputs(view: View) -> Sign | None:
    known = view.has("input_nonfinite")
    elements = float(view.latest("input_nonfinite", "max")[0]) if known else 0.0
    if not elements > view.limits["elements"]:
        return None
    step, names, never = nonfinite_onset(view), _features(view), _never_finite(view)
    return Sign(
        severity="warning" if math.isfinite(view.scalar("loss")) else "error",
        title=_title(names),
        layers=names,
        onset=step,
        evidence=(_evidence(view, elements, step),),
        causes=_causes(view, never),
        fixes=_fixes(names, never),
        harmless="The model masks or replaces NaN before its first multiplication.",
        check="input_nonfinite stays 0 for a whole epoch.",
    )


def _labels(view: View) -> Sign | None:
    """A sign once a label or a target was not finite, and the loss is not either."""
    bad = bad_labels(view)
    if bad is None or math.isfinite(view.scalar("loss")):
        return None
    step, name = nonfinite_onset(view), bad.row
    label = "values that are NaN or infinite" if name else "labels counted of some class"
    return Sign(
        severity="error",
        title=title("NaN or infinite values are in the labels {}", name)
        if name
        else "Labels contain NaN or infinite values",
        layers=(name,) if name else (),
        onset=step,
        evidence=(Evidence(label, bad.count, 0 if name else None, "", bad.signal, step, name),),
        causes=(
            Cause("missing values were read as NaN, or divided by zero in the preparation"),
            Cause("the next value of a shifted column, which the last row does not have"),
        ),
        fixes=_LABELS,
        harmless="Never: the loss is not finite either.",
        check="The loss stays finite for a whole epoch.",
    )


def _title(names: tuple[str, ...]) -> str:
    if not names:
        return "Inputs contain NaN or infinite values"
    return title("NaN or infinite values are in {}", names[0], len(names) - 1)


def _causes(view: View, never: tuple[str, ...]) -> tuple[Cause, ...]:
    missing = Cause("missing values were read as NaN")
    if not never:
        text = "the preparation of the data divides by zero or takes the logarithm of zero"
        return missing, Cause(text)
    values = float(view.latest("input_features", "nonfinite").max())
    more = f" and {len(never) - 1} more" if len(never) > 1 else ""
    return (
        Cause(
            "a feature was divided by its standard deviation of 0, or its column is missing",
            "likely",
            f"input_features: no value of {quoted(never[0])}{more} was finite, of {number(values)}",
        ),
        missing,
    )


def _fixes(names: tuple[str, ...], never: tuple[str, ...]) -> tuple[Fix, ...]:
    if not never:
        return _SAMPLES
    return _FEATURES if len(never) == len(names) else (*_FEATURES, *_SAMPLES)


def _evidence(view: View, elements: float, step: int) -> Evidence:
    label, limit = "elements of one batch that are NaN or infinite", view.limits["elements"]
    return Evidence(label, elements, limit, "", "input_nonfinite", step)


def _features(view: View) -> tuple[str, ...]:
    if not view.has("input_features"):
        return ()
    count = view.latest("input_features", "nonfinite")
    rows = view.rows("input_features")
    worst = np.argsort(-count, kind="stable")
    return tuple(rows[i].name for i in worst if count[i] > 0 and rows[i].role == "input")


def _never_finite(view: View) -> tuple[str, ...]:
    """The bad features that had no finite value in any sample so far."""
    if not view.has("input_features"):
        return ()
    empty = view.latest("input_features", "count") == 0
    named = zip(view.rows("input_features"), empty, strict=True)
    never = {row.name for row, without in named if without}
    return tuple(name for name in _features(view) if name in never)


RULE = Rule(
    name="nonfinite_inputs",
    code="GH101",
    group="data",
    limits={"elements": 0},
    clear=None,  # The data set is read again and again, and the sample is still in it.
    inhibited_by=(),
    references=("Zhang et al. 2018, An Empirical Study on TensorFlow Program Bugs (ISSTA)",),
    check=check,
    healthy=(
        case("finite inputs", run={"input_nonfinite": lambda s: 0, "loss": lambda s: 0.7}),
        case(
            "the loss is NaN for another reason",
            run={"input_nonfinite": lambda s: 0, "loss": lambda s: math.nan},
        ),
    ),
    sick=(
        case(
            "one feature of one batch",
            rows={"feature": features(3)},
            run={
                "input_nonfinite": lambda s: 2 if s == 7 else 0,
                "loss": lambda s: math.nan if s >= 7 else 0.7,
            },
            feature={
                "input_features": lambda s: {
                    "count": 32 * (s + 1),
                    "mean": 0,
                    "std": 1,
                    "min": -3,
                    "max": 3,
                    "nonfinite": [0, 2 if s >= 7 else 0, 0],
                }
            },
            severity="error",
            layers=("x[1]",),
            onset=7,
        ),
        case(
            "a feature that is NaN in every sample",
            rows={"feature": features(3)},
            run={"input_nonfinite": lambda s: 32, "loss": lambda s: math.nan},
            feature={
                "input_features": lambda s: {
                    "count": [0, 32 * (s + 1), 32 * (s + 1)],
                    "mean": 0,
                    "std": [0, 1, 1],
                    "min": [3.4e38, -3, -3],
                    "max": [-3.4e38, 3, 3],
                    "nonfinite": [32 * (s + 1), 0, 0],
                }
            },
            severity="error",
            layers=("x[0]",),
            onset=0,
        ),
        case(
            "a target of one sample",
            rows={"feature": (*features(1), Row("y", "", "target"))},
            run={
                "input_nonfinite": lambda s: 0,
                "loss": lambda s: math.nan if s >= 7 else 0.7,
            },
            feature={
                "input_features": lambda s: {
                    "count": 32 * (s + 1),
                    "mean": 0,
                    "std": 1,
                    "min": -3,
                    "max": 3,
                    "nonfinite": [0, 1 if s >= 7 else 0],
                }
            },
            severity="error",
            layers=("y",),
            onset=7,
        ),
        case(
            "labels of two classes",
            run={"loss": lambda s: math.nan if s >= 7 else 0.7},
            classes={"label_counts": lambda s: {"count": [math.nan if s >= 7 else 16] * 2}},
            facts={"loss": "binary_crossentropy"},
            severity="error",
            onset=7,
        ),
        case(
            "values that the model masks",
            run={"input_nonfinite": lambda s: 40, "loss": lambda s: 0.7},
            severity="warning",
            onset=0,
        ),
    ),
)
