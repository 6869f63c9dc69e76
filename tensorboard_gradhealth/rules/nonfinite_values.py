"""A loss, gradient, weight or activation is NaN or infinite.

## Meaning
Something inside the model stopped being a number. Named is the first place where it did.

## Why it matters
NaN spreads to all weights within one update and never leaves them: the run is lost from that
step on. All other measurements after it mean nothing, so other rules are silent meanwhile.

## How it is measured
`activation_nonfinite`, the loss, `gradient_nonfinite` and `weight_nonfinite`, in this order,
which is the order of computation within a step; within each, in network order. Steps 0 to 50 are
recorded one by one, so there the order is exact. In a longer window, what was bad at more of its
steps was bad first: the number of bad steps is mean / max of the count, times the steps.
One element is enough.

## Likely causes
- the learning rate is too high, so that the weights overflow; ruled out where an activation, the
  loss or a gradient comes first at step 0, which no update came before, and where all steps before
  it were short and the loss had not risen
- logarithm, division or root of 0 in a custom loss or layer. A kernel whose gradient is NaN, while
  that of its bias is finite, belongs to a layer whose input was NaN already
- NaN in the input, or in the labels: where the outputs are finite and a loss of Keras' own gives
  NaN, nothing else is left
- overflow of float16, or the squares of gradients that are 0 in it

## Fixes
Repair the first place that is named; the rest follows from it. A lower learning rate helps only
where weights overflow.

## False alarms
With loss scaling, gradients overflow now and then and their step is skipped: then only the loss
and the weights are judged.

## References
- Zhang et al., An Empirical Study on TensorFlow Program Bugs, ISSTA 2018
- Micikevicius et al., Mixed Precision Training, arXiv 1710.03740
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measure, Rows, case, hidden, kernel, output
from tensorboard_gradhealth.rules._loss import CALM_STEP, first_loss
from tensorboard_gradhealth.rules._support import (
    bad_labels,
    in_half_precision,
    learning_rate_cause,
    likely_first,
    nonfinite_onset,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, optimizer_class, quoted, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row

_PLACES = {
    "activation_nonfinite": "The output of {} is NaN or infinite",
    "loss": "The loss is {value}",
    "gradient_nonfinite": "The gradient of {} is NaN or infinite",
    "weight_nonfinite": "{} has NaN or infinite values",
}
"""Titles by signal, in the order of computation within a step."""

_ELEMENTS = {
    "activation_nonfinite": "outputs that are NaN or infinite",
    "gradient_nonfinite": "elements of the gradient that are NaN or infinite",
    "weight_nonfinite": "weights that are NaN or infinite",
}

_SAFE_LOSSES = (
    "mse", "mean_squared_error", "mae", "mean_absolute_error", "mape",
    "mean_absolute_percentage_error", "msle", "mean_squared_logarithmic_error", "huber",
    "logcosh", "log_cosh", "hinge", "squared_hinge", "categorical_hinge", "poisson",
    "kl_divergence", "cosine_similarity",
)  # fmt: skip
"""Keras' losses, beside its cross-entropies. A `bce` may be Keras' own or anybody's."""

_NEVER_NAN = (
    "mse", "mean_squared_error", "mae", "mean_absolute_error", "huber",
    "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy",
)  # fmt: skip
"""Losses that are finite or infinite as long as outputs and labels are finite."""

_FIND = Fix(
    "Find the line: with this in front of the model, TensorFlow stops there.",
    "tf.debugging.enable_check_numerics()",
)
_LABELS = Fix(
    "Look for labels that are not numbers or out of range, and drop their samples.",
    "bad = ~np.isfinite(y_train).reshape(len(y_train), -1).all(1)\n"
    "x_train, y_train = x_train[~bad], y_train[~bad]",
)
_STOP = Fix("Stop at the first NaN instead of going on.", "keras.callbacks.TerminateOnNaN()")
_HALF_PRECISION_FIXES = (
    Fix(
        "Compute in 16 bits, but keep weights in 32 and scale the loss.",
        'keras.config.set_dtype_policy("mixed_float16")',
    ),
    Fix(
        "Or use bfloat16, which has the range of float32.",
        'keras.config.set_dtype_policy("mixed_bfloat16")',
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where values were not finite, and at how many steps of the window."""

    signal: str
    row: str
    value: float
    steps: int


def check(view: View) -> Sign | None:
    """A sign while anything inside the model is not finite."""
    signals = [signal for signal in _PLACES if view.has(signal)]
    if not signals:
        raise NotEvaluated("neither the loss nor any count of non-finite values was recorded")
    if view.facts.get("loss_scaled"):
        signals = [signal for signal in signals if signal in ("loss", "weight_nonfinite")]
    places = [place for signal in signals for place in _places(view, signal)]
    if not places:
        return None
    first = max(places, key=lambda place: place.steps)  # The first one, where several tie.
    step = nonfinite_onset(view)
    return Sign(
        severity="error",
        title=title(_PLACES[first.signal].replace("{value}", number(first.value)), first.row),
        layers=tuple(dict.fromkeys(place.row for place in [first, *places] if place.row)),
        onset=step,
        evidence=_evidence(first, places, step),
        causes=_causes(view, first),
        fixes=_fixes(view, first),
        harmless="Only where loss scaling skips the step, and loss and weights stay finite.",
        check="The run passes this step, and all counts of non-finite values stay 0.",
    )


def _places(view: View, signal: str) -> list[_Place]:
    """The bad rows of a signal in network order."""
    window = view.record.step - view.record.first_step + 1
    if signal == "loss":
        value = view.scalar("loss")
        bad = bool(view.measured("loss")[0]) and not math.isfinite(value)
        return [_Place(signal, "", value, window if window == 1 else 0)] if bad else []
    mean, largest = view.latest(signal), view.latest(signal, "max")
    rows = view.rows(signal)
    return [
        _Place(
            signal,
            rows[i].name,
            float(largest[i]),
            math.ceil(float(mean[i] / largest[i]) * window - 1e-3),
        )
        for i in np.flatnonzero(largest > 0)
    ]


def _evidence(first: _Place, places: list[_Place], step: int) -> tuple[Evidence, ...]:
    """The first place, and the first one of every other kind."""
    kinds = {place.signal: place for place in reversed([first, *places])}
    ordered = [first, *(kinds[s] for s in _PLACES if s in kinds and s != first.signal)]
    return tuple(
        Evidence("loss", place.value, None, "", "loss", step)
        if place.signal == "loss"
        else Evidence(_ELEMENTS[place.signal], place.value, 0, "", place.signal, step, place.row)
        for place in ordered
    )


def _causes(view: View, first: _Place) -> tuple[Cause, ...]:
    operation, rate = _operation_cause(view, first), _rate_cause(view, first)
    # What somebody wrote by hand comes before a learning rate that is merely possible.
    own = first.signal in ("loss", "gradient_nonfinite") and _own_loss(view)
    both = (*operation, *rate) if own else (*rate, *operation)
    labels = _label_cause(view, first)
    return likely_first(*_half_precision_cause(view), *labels, *both, *_input_cause(view))


def _half_precision_cause(view: View) -> tuple[Cause, ...]:
    if not in_half_precision(view):
        return ()
    text = "float16 ends at 65,504, and squares of gradients below 2e-4 are 0 in it"
    support = f"the model: weights are {view.facts['weight_types']}, and the loss is not scaled"
    return (Cause(text, "likely", support),)


def _rate_cause(view: View, first: _Place) -> tuple[Cause, ...]:
    if in_half_precision(view):
        return ()
    cause = learning_rate_cause(view)
    if not _before_any_update(view, first):
        if cause.confidence == "possible" and _calm_until(view, nonfinite_onset(view)):
            support = "update_ratio: all steps before were short, and the loss had not risen"
            return (dataclasses.replace(cause, confidence="ruled out", support=support),)
        return (cause,)
    support = "no update came before step 0"
    return (dataclasses.replace(cause, confidence="ruled out", support=support),)


def _calm_until(view: View, step: int) -> bool:
    """Whether no step of those kept before this one was long, and no loss higher than at first."""
    if not (view.has("update_ratio") and view.has("loss")):
        return False
    before = view.past_steps("update_ratio")[:, 1] < step
    ratio = view.past("update_ratio", field="max")[before]
    ratio = ratio[:, view.where("update_ratio", "kernel")]
    loss = view.past("loss", field="max")[view.past_steps("loss")[:, 1] < step, 0]
    if not (len(loss) >= 3 and np.isfinite(ratio).any()):
        return False
    calm = np.nan_to_num(ratio, posinf=1).max() < CALM_STEP
    return bool(calm and loss.max() < 2 * abs(first_loss(view)))


def _before_any_update(view: View, first: _Place) -> bool:
    """Whether it was bad at step 0 already; weights are counted after the update."""
    steps = view.record.step + 1
    return first.signal != "weight_nonfinite" and (view.record.first_step, first.steps) == (
        0,
        steps,
    )


def _operation_cause(view: View, first: _Place) -> tuple[Cause, ...]:
    if first.signal == "weight_nonfinite":
        return ()
    if first.signal == "gradient_nonfinite":
        fed = _fed_nonfinite(view, first)
        if fed and not _bad_inputs(view):
            text = f"logarithm or root of 0, or division by 0, in a layer in front of {quoted(fed)}"
            support = f"gradient_nonfinite: {number(first.value)} in its kernel, none in its bias"
            return (Cause(text, "likely", support),)
        return (Cause("a derivative is infinite: root, norm or division at 0"),)
    if first.signal == "loss" and _own_loss(view):
        name = quoted(str(view.facts["loss"]))
        return (Cause(f"logarithm or root of 0, or division by 0, in the loss {name}"),)
    return (Cause("logarithm of 0 or division by 0 in a custom loss or layer"),)


def _fed_nonfinite(view: View, first: _Place) -> str:
    """The layer of a kernel whose gradient is bad while that of the bias is finite, else ""."""
    rows = view.rows(first.signal)
    layer = next(r.layer for r in rows if r.name == first.row)
    counts = zip(rows, view.latest(first.signal, "max"), strict=True)
    found = {row.role: float(count) for row, count in counts if row.layer == layer}
    return layer if found.get("kernel", 0) > 0 and found.get("bias") == 0 else ""


def _input_cause(view: View) -> tuple[Cause, ...]:
    if not view.has("input_nonfinite"):
        return ()
    text, elements = "the input contains NaN or infinite values", _bad_inputs(view)
    if not elements > 0:
        return (Cause(text, "ruled out"),)
    return (Cause(text, "likely", f"input_nonfinite: {number(elements)} elements of one batch"),)


def _label_cause(view: View, first: _Place) -> tuple[Cause, ...]:
    """Labels as a cause: likely where they are known, or where finite outputs give NaN.

    None of Keras' losses in `_NEVER_NAN` does that by itself: at most they overflow to infinity.
    """
    bad, text = bad_labels(view), "the labels contain NaN or infinite values"
    if bad is not None:
        where = f" in {quoted(bad.row)}" if bad.row else ""
        return (Cause(text, "likely", f"{bad.signal}: not finite{where}"),)
    if not (_nan_by_labels(view) and first.signal == "loss" and math.isnan(first.value)):
        return ()
    sparse = str(view.facts.get("loss", "")).startswith("sparse_")
    text += ", or numbers of classes that the model does not have" if sparse else ""
    text += ", or the weights of the samples do" if view.facts.get("sample_weights") else ""
    support = f"activation_nonfinite: the outputs are finite, which {view.facts['loss']} maps to"
    return (Cause(text, "likely", f"{support} finite numbers or infinity"),)


def _nan_by_labels(view: View) -> bool:
    """Whether the loss is one that finite outputs cannot make NaN, and the outputs are finite."""
    names = {str(view.facts.get("loss", "")), *(h["loss"] for h in _heads(view))}
    if not names <= {"", *_NEVER_NAN} or names == {""} or not view.has("activation_nonfinite"):
        return False
    outputs = view.where("activation_nonfinite", "output")
    return bool((view.latest("activation_nonfinite", "max")[outputs] == 0).any())


def _heads(view: View) -> list[Mapping[str, Any]]:
    return list(view.facts.get("outputs") or [])


def _bad_inputs(view: View) -> float:
    """Elements of one batch of inputs that are not finite; 0 if that was not counted."""
    if not view.has("input_nonfinite"):
        return 0.0
    return float(np.nan_to_num(view.latest("input_nonfinite", "max")[0]))


def _own_loss(view: View) -> bool:
    """Whether the loss is none of those that Keras keeps away from logarithms of 0."""
    name = str(view.facts.get("loss", ""))
    return bool(name) and name not in _SAFE_LOSSES and not name.endswith("_crossentropy")


def _fixes(view: View, first: _Place) -> tuple[Fix, ...]:
    rate = _rate_cause(view, first)
    lower = (_clip(view),) if rate and rate[0].confidence != "ruled out" else ()
    if _bad_inputs(view) > 0:
        return Fix("Repair the input first; see `nonfinite_inputs`."), *lower
    if in_half_precision(view):
        return _HALF_PRECISION_FIXES
    if _label_cause(view, first):
        return (_LABELS, *lower)
    if first.signal == "weight_nonfinite":
        return *lower, _STOP
    guards = (*_crossentropy_fix(view, first), _guard(view, first), _FIND)
    return (*lower, *guards) if rate == _causes(view, first)[:1] else (*guards, *lower)


def _clip(view: View) -> Fix:
    name, rate = optimizer_class(view) or "Adam", view.scalar("learning_rate", "max")
    lower = f"{rate / 10:.3g}" if 0 < rate < math.inf else "1e-4"
    return Fix(
        "Clip the gradient, and lower the learning rate.",
        f"optimizer = keras.optimizers.{name}({lower}, clipnorm=1.0)",
    )


def _crossentropy_fix(view: View, first: _Place) -> tuple[Fix, ...]:
    """Only for a cross-entropy that is computed from probabilities."""
    heads = view.facts.get("outputs") or [{"loss": view.facts.get("loss", "")}]
    head = next((h for h in heads if "crossentropy" in h["loss"].replace("_", "")), None)
    if first.signal != "loss" or head is None or head.get("from_logits"):
        return ()
    several = "categorical" in head["loss"] or head.get("activation") == "softmax"
    kind = "Categorical" if several else "Binary"
    kind = f"Sparse{kind}" if "sparse" in head["loss"] else kind
    return (
        Fix(
            "Compute the cross-entropy from logits, and leave the last activation out.",
            f"loss = keras.losses.{kind}Crossentropy(from_logits=True)\n"
            "model.compile(optimizer, loss)",
        ),
    )


def _guard(view: View, first: _Place) -> Fix:
    if first.signal == "gradient_nonfinite" and not _fed_nonfinite(view, first):
        return Fix("Keep roots and norms away from 0.", "tf.sqrt(x + 1e-12)")
    return Fix(
        "Keep logarithms and divisions away from 0.",
        "tf.math.log(x + 1e-7)\ntf.math.divide_no_nan(x, y)",
    )


def _from(step: int, amount: float = 64.0) -> Measure:
    return lambda s: amount if s >= step else 0


_ROWS: Rows = {
    "activation": (hidden("dense"), hidden("dense_1")),
    "variable": (kernel("dense/kernel", 64), kernel("dense_1/kernel", 64)),
}

RULE = Rule(
    name="nonfinite_values",
    code="GH601",
    group="loss",
    explained_by=(
        "nonfinite_inputs",
        "unscaled_inputs",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "unstable_step",
        "exploding_gradients",
        "loss_divergence",
        "loss_spike",
    ),
    inhibited_by=(),
    references=(
        "Zhang et al. 2018, An Empirical Study on TensorFlow Program Bugs (ISSTA)",
        "Micikevicius et al. 2018, Mixed Precision Training (arXiv 1710.03740)",
    ),
    check=check,
    healthy=(
        case(
            "all finite",
            rows=_ROWS,
            run={"loss": lambda s: 0.7},
            variable={"gradient_nonfinite": lambda s: [0, 0], "weight_nonfinite": lambda s: [0, 0]},
        ),
        case(
            "loss scaling skips a step",
            rows=_ROWS,
            facts={"loss_scaled": True},
            run={"loss": lambda s: 0.7},
            variable={
                "gradient_nonfinite": lambda s: [64, 64] if s == 20 else [0, 0],
                "weight_nonfinite": lambda s: [0, 0],
            },
        ),
    ),
    sick=(
        case(
            "the second layer first",
            rows=_ROWS,
            run={"loss": lambda s: math.nan if s >= 7 else 0.7},
            activation={"activation_nonfinite": lambda s: [_from(8)(s), _from(7)(s)]},
            variable={"weight_nonfinite": lambda s: [_from(7)(s)] * 2},
            severity="error",
            layers=("dense_1", "dense/kernel", "dense_1/kernel", "dense"),
            onset=7,
        ),
        case(
            "a gradient within a window of ten steps",
            rows=_ROWS,
            activation={"activation_nonfinite": lambda s: [_from(56)(s)] * 2},
            variable={
                "gradient_nonfinite": lambda s: [_from(56)(s), _from(55)(s)],
                "weight_nonfinite": lambda s: [_from(56)(s)] * 2,
            },
            severity="error",
            layers=("dense_1/kernel", "dense", "dense_1", "dense/kernel"),
            onset=51,
        ),
        case(
            "weights in float16",
            rows=_ROWS,
            run={"loss": lambda s: math.nan if s >= 2 else 0.7, "learning_rate": lambda s: 2e-3},
            variable={
                "gradient_nonfinite": lambda s: [_from(2)(s), 0],
                "update_ratio": lambda s: [6.7, 0.1],
                "weight_rms": lambda s: [0.3, 0.3],
            },
            facts={"optimizer": "Adam", "weight_types": "float16", "loss_scaled": False},
            severity="error",
            layers=("dense/kernel",),
            onset=2,
        ),
        case(
            "a loss of one's own at step 0",
            rows=_ROWS,
            run={
                "loss": lambda s: math.inf if s == 0 else math.nan,
                "learning_rate": lambda s: 1e-3,
            },
            variable={"weight_nonfinite": lambda s: [64, 64]},
            facts={"optimizer": "Adam", "loss": "relative_error"},
            severity="error",
            layers=("dense/kernel", "dense_1/kernel"),
            onset=0,
        ),
        case(
            "a cross-entropy of one's own, later",
            run={
                "loss": lambda s: math.nan if s >= 16 else 0.3,
                "learning_rate": lambda s: 0.05,
            },
            facts={
                "optimizer": "Adam",
                "loss": "bce",
                "outputs": [
                    {
                        "layer": "dense_1",
                        "units": 1,
                        "activation": "sigmoid",
                        "loss": "binary_crossentropy",
                        "from_logits": False,
                    }
                ],
            },
            severity="error",
            onset=16,
        ),
        case(
            "a layer divides by 0 in front of a kernel",
            rows={"variable": (*_ROWS["variable"], Row("dense_1/bias", "dense_1", "bias"))},
            run={"loss": lambda s: 0.7, "learning_rate": lambda s: 1e-3},
            variable={
                "gradient_nonfinite": lambda s: [0, 64, 0],
                "weight_nonfinite": lambda s: [0, 64, 0],
            },
            facts={"optimizer": "Adam", "loss": "sparse_categorical_crossentropy"},
            severity="error",
            layers=("dense_1/kernel",),
            onset=0,
        ),
        case(
            "the weights first, at step 0",
            rows=_ROWS,
            run={"loss": lambda s: math.nan if s else 0.7, "learning_rate": lambda s: 1e9},
            variable={"weight_nonfinite": lambda s: [64, 64]},
            facts={"optimizer": "SGD", "loss": "mean_squared_error"},
            severity="error",
            layers=("dense/kernel", "dense_1/kernel"),
            onset=0,
        ),
        case(
            "a label that is NaN, of finite outputs",
            rows={**_ROWS, "activation": (hidden("dense"), output("dense_1", 1, "linear"))},
            run={
                "loss": lambda s: math.nan if s >= 7 else 0.7,
                "learning_rate": lambda s: 1e-3,
                "input_nonfinite": lambda s: 0,
            },
            activation={"activation_nonfinite": lambda s: [_from(8)(s)] * 2},
            variable={"gradient_nonfinite": lambda s: [_from(7)(s)] * 2},
            facts={"optimizer": "Adam", "loss": "mean_squared_error"},
            severity="error",
            layers=("dense/kernel", "dense_1/kernel", "dense", "dense_1"),
            onset=7,
        ),
        case(
            "only the loss is known",
            run={"loss": lambda s: math.inf if s >= 3 else 0.7},
            severity="error",
            onset=3,
        ),
    ),
)
