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

import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measure, Rows, case, found, hidden, kernel, output
from tensorboard_gradhealth.rules._finite import fixes
from tensorboard_gradhealth.rules._nonfinite import Place, causes
from tensorboard_gradhealth.rules._support import nonfinite_onset
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, title
from tensorboard_gradhealth.types import Evidence, Row

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
        causes=causes(view, first),
        fixes=fixes(view, first),
        harmless="Only where loss scaling skips the step, and loss and weights stay finite.",
        check="The run passes this step, and all counts of non-finite values stay 0.",
    )


def _places(view: View, signal: str) -> list[Place]:
    """The bad rows of a signal in network order."""
    window = view.record.step - view.record.first_step + 1
    if signal == "loss":
        value = view.scalar("loss")
        bad = bool(view.measured("loss")[0]) and not math.isfinite(value)
        return [Place(signal, "", value, window if window == 1 else 0)] if bad else []
    mean, largest = view.latest(signal), view.latest(signal, "max")
    rows = view.rows(signal)
    return [
        Place(
            signal,
            rows[i].name,
            float(largest[i]),
            math.ceil(float(mean[i] / largest[i]) * window - 1e-3),
        )
        for i in np.flatnonzero(largest > 0)
    ]


def _evidence(first: Place, places: list[Place], step: int) -> tuple[Evidence, ...]:
    """The first place, and the first one of every other kind."""
    kinds = {place.signal: place for place in reversed([first, *places])}
    ordered = [first, *(kinds[s] for s in _PLACES if s in kinds and s != first.signal)]
    return tuple(
        Evidence("loss", place.value, None, "", "loss", step)
        if place.signal == "loss"
        else Evidence(_ELEMENTS[place.signal], place.value, 0, "", place.signal, step, place.row)
        for place in ordered
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
            **found("error", 7, "dense_1", "dense/kernel", "dense_1/kernel", "dense"),
        ),
        case(
            "a gradient within a window of ten steps",
            rows=_ROWS,
            activation={"activation_nonfinite": lambda s: [_from(56)(s)] * 2},
            variable={
                "gradient_nonfinite": lambda s: [_from(56)(s), _from(55)(s)],
                "weight_nonfinite": lambda s: [_from(56)(s)] * 2,
            },
            **found("error", 51, "dense_1/kernel", "dense", "dense_1", "dense/kernel"),
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
            **found("error", 2, "dense/kernel"),
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
            **found("error", 0, "dense/kernel", "dense_1/kernel"),
        ),
        case(
            "a cross-entropy of one's own, later",
            run={"loss": lambda s: math.nan if s >= 16 else 0.3, "learning_rate": lambda s: 0.05},
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
            **found("error", 16),
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
            **found("error", 0, "dense_1/kernel"),
        ),
        case(
            "the weights first, at step 0",
            rows=_ROWS,
            run={"loss": lambda s: math.nan if s else 0.7, "learning_rate": lambda s: 1e9},
            variable={"weight_nonfinite": lambda s: [64, 64]},
            facts={"optimizer": "SGD", "loss": "mean_squared_error"},
            **found("error", 0, "dense/kernel", "dense_1/kernel"),
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
            **found("error", 7, "dense/kernel", "dense_1/kernel", "dense", "dense_1"),
        ),
        case(
            "only the loss is known",
            run={"loss": lambda s: math.inf if s >= 3 else 0.7},
            **found("error", 3),
        ),
    ),
)
