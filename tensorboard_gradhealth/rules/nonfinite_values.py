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
- the learning rate is too high: the weights overflow
- logarithm, division or root of 0 in a custom loss or layer
- NaN in the input
- overflow of float16, or the squares of gradients that are 0 in it

## Fixes
Repair the first place that is named; the rest follows from it.

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

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measure, Rows, case, hidden, kernel
from tensorboard_gradhealth.rules._support import (
    in_half_precision,
    learning_rate_cause,
    likely_first,
    nonfinite_onset,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, optimizer_class, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix

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
    half = in_half_precision(view)
    causes = [*_half_precision_cause(view), *(() if half else (learning_rate_cause(view),))]
    if view.has("input_nonfinite"):
        elements = float(view.latest("input_nonfinite", "max")[0])
        text = "the input contains NaN or infinite values"
        support = f"input_nonfinite: {number(elements)} elements of one batch"
        causes.append(Cause(text, "likely", support) if elements > 0 else Cause(text, "ruled out"))
    if first.signal == "gradient_nonfinite":
        causes.append(Cause("a derivative is infinite: root, norm or division at 0"))
    elif first.signal != "weight_nonfinite":
        causes.append(Cause("logarithm of 0 or division by 0 in a custom loss or layer"))
    return likely_first(*causes)


def _half_precision_cause(view: View) -> tuple[Cause, ...]:
    if not in_half_precision(view):
        return ()
    text = "float16 ends at 65,504, and squares of gradients below 2e-4 are 0 in it"
    support = f"the model: weights are {view.facts['weight_types']}, and the loss is not scaled"
    return (Cause(text, "likely", support),)


def _fixes(view: View, first: _Place) -> tuple[Fix, ...]:
    name = optimizer_class(view) or "Adam"
    clip = Fix(
        "Clip the gradient, and lower the learning rate.",
        f"keras.optimizers.{name}(learning_rate, clipnorm=1.0)",
    )
    if view.has("input_nonfinite") and view.latest("input_nonfinite", "max")[0] > 0:
        return Fix("Repair the input first; see `nonfinite_inputs`."), clip
    if in_half_precision(view):
        return (
            Fix(
                "Compute in 16 bits, but keep weights in 32 and scale the loss.",
                'keras.config.set_dtype_policy("mixed_float16")',
            ),
            Fix(
                "Or use bfloat16, which has the range of float32.",
                'keras.config.set_dtype_policy("mixed_bfloat16")',
            ),
        )
    if first.signal == "loss":
        stable = Fix(
            "Compute the cross-entropy from logits, and keep logarithms away from 0.",
            "keras.losses.BinaryCrossentropy(from_logits=True)\ntf.math.log(x + 1e-7)",
        )
        return stable, clip
    if first.signal == "gradient_nonfinite":
        return Fix("Keep roots and norms away from 0.", "tf.sqrt(x + 1e-12)"), clip
    return clip, Fix(
        "Stop at the first NaN instead of going on.", "keras.callbacks.TerminateOnNaN()"
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
            "only the loss is known",
            run={"loss": lambda s: math.inf if s >= 3 else 0.7},
            severity="error",
            onset=3,
        ),
    ),
)
