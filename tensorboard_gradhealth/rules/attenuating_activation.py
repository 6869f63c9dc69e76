"""An activation function shrinks both the signal and the gradient that pass through it.

## Meaning
The outputs of a hidden activation vary less than a twentieth as much as its inputs, and its
derivative is as small, although it is not saturated and its units are not dead: its scale is
wrong, as in tanh(0.01 x).

## Why it matters
Each such layer divides the forward signal and the backward gradient by the same factor; a few
in a row leave nothing of either. The next layers see a constant and learn at most their bias.
It is mistaken for vanishing gradients or a low learning rate, and cured by neither.

## How it is measured
`activation_gain` = std(output) / std(input) of the function, and `activation_slope` = root mean
square of its derivative, for hidden activations. Both under `warning`: a warning; both under
`error`: an error; each for three records in a row. Layers with more than `saturated` of their
outputs on the flat part, more than `silent` zeros, or inputs that do not vary are left to other
rules. Measured gain and slope at N(0, 1): relu 0.58 and 0.71, tanh 0.63 and 0.68, sigmoid 0.21
and 0.21; in a trained sigmoid network both fall to 0.06; tanh(0.01 x) 0.01 and 0.01.

## Likely causes
- a constant inside a custom activation
- initial weights so large or so shifted that only the tail of the function is used

## Fixes
Remove the constant; use a standard activation; normalise after the layer.

## False alarms
A normalisation right after the activation restores the scale.

## References
- Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010
- Schoenholz et al., Deep Information Propagation, arXiv 1611.01232
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, case, hidden, output
from tensorboard_gradhealth.rules._layers import hidden_values
from tensorboard_gradhealth.rules._view import Bools, View
from tensorboard_gradhealth.rules._wording import number, quoted, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row, Severity

_STANDARD = ("hard_sigmoid", "hard_tanh", "sigmoid", "softsign", "tanh")


def check(view: View) -> Sign | None:
    """A sign while gain and slope of a hidden activation are both tiny."""
    gain = hidden_values(view, "activation_gain")
    both = np.maximum(gain, view.latest("activation_slope"))
    both = np.where(_explained(view), np.nan, both)
    tiny = np.flatnonzero(both < view.limits["warning"])
    if not len(tiny):
        return None
    worst = [int(i) for i in tiny[np.argsort(both[tiny], kind="stable")]]
    rows = view.rows("activation_gain")
    row = rows[worst[0]]
    severity: Severity = "error" if both[worst[0]] <= view.limits["error"] else "warning"
    head = "{} shrinks its input to " + number(float(gain[worst[0]])) + " of its spread"
    return Sign(
        severity=severity,
        title=title(head, row.name)
        if len(worst) == 1
        else title("{} shrink their inputs", row.name, len(worst) - 1),
        layers=tuple(rows[i].name for i in worst),
        evidence=_evidence(view, worst[0], row, view.limits[severity]),
        causes=_causes(row),
        fixes=(
            Fix(
                f"Replace the activation of {quoted(row.name)} by a standard one.",
                'keras.layers.Dense(units, activation="relu")',
            ),
            Fix("Remove the constant that multiplies its input."),
            Fix("Normalise after the layer.", "keras.layers.LayerNormalization()"),
        ),
        harmless="A normalisation right after the activation restores the scale.",
        check="activation_gain and activation_slope of the layer lie above 0.2.",
    )


def _explained(view: View) -> Bools:
    """Rows with another reason for a small gain, which other rules name."""
    explained = np.zeros(len(view.rows("activation_gain")), bool)
    for signal, limit in (("saturated_fraction", "saturated"), ("zero_fraction", "silent")):
        if view.has(signal):
            explained |= view.latest(signal) > view.limits[limit]
    return explained


def _evidence(view: View, index: int, row: Row, limit: float) -> tuple[Evidence, ...]:
    labels = {
        "activation_gain": "spread of the output / spread of the input",
        "activation_slope": "root mean square of the derivative",
    }
    return tuple(
        Evidence(label, float(view.latest(s)[index]), limit, "", s, view.record.step, row.name)
        for s, label in labels.items()
    )


def _causes(row: Row) -> tuple[Cause, ...]:
    tail = Cause("only the tail of the function is used: its bias or initial weights are too large")
    if row.function in _STANDARD:
        return (tail,)
    name = quoted(row.function) if row.function else "the activation function"
    support = "activation_slope: as small as the gain, with next to no output on a flat part"
    return Cause(f"{name} multiplies its input by a small constant", "likely", support), tail


def _activation(gain: Any, slope: Any, **more: Any) -> Measures:
    values = {"activation_gain": gain, "activation_slope": slope, **more}
    return {name: functools.partial(_constant, value) for name, value in values.items()}


def _constant(value: Any, step: int) -> Any:
    return value


RULE = Rule(
    name="attenuating_activation",
    code="GH403",
    group="activation",
    requires=("activation_gain", "activation_slope"),
    limits={"warning": 0.05, "error": 0.03, "saturated": 0.5, "silent": 0.9},
    hold=3,
    explained_by=("learning_rate_too_high",),
    references=(
        "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural "
        "networks (AISTATS)",
        "Schoenholz et al. 2017, Deep Information Propagation (arXiv 1611.01232)",
    ),
    check=check,
    healthy=(
        case(
            "sigmoid, untrained and trained",
            rows={"activation": (hidden("a", function="sigmoid"), hidden("b", function="sigmoid"))},
            activation=_activation([0.21, 0.09], [0.21, 0.063]),
        ),
        case(
            "saturated tanh is another problem",
            rows={"activation": (hidden("dense", function="tanh"),)},
            activation=_activation(0.03, 0.01, saturated_fraction=0.92),
        ),
        case(
            "a dead ReLU layer is another problem",
            rows={"activation": (hidden("dense"),)},
            activation=_activation(0.0, 0.0, zero_fraction=1.0),
        ),
        case(
            "inputs that do not vary",
            rows={"activation": (hidden("dense", function="tanh"),)},
            activation=_activation(np.nan, 0.01),
        ),
        case(
            "an output that is right about everything",
            rows={"activation": (hidden("dense"), output("dense_1"))},
            activation=_activation([0.6, 0.01], [0.7, 0.01]),
        ),
    ),
    sick=(
        case(
            "tanh(0.01 x)",
            rows={"activation": (hidden("dense", function="my_activation"), output("dense_1"))},
            activation=_activation([0.01, 0.5], [0.01, 0.5], saturated_fraction=[0.0, 0.0]),
            severity="error",
            layers=("dense",),
            onset=0,
        ),
        case(
            "relu(0.01 x)",
            rows={"activation": (hidden("dense", function="my_relu"),)},
            activation=_activation(0.006, 0.007, zero_fraction=0.6),
            severity="error",
            layers=("dense",),
            onset=0,
        ),
        case(
            "two layers of tanh(0.04 x)",
            rows={"activation": (hidden("a", function="squash"), hidden("b", function="squash"))},
            activation=_activation([0.04, 0.039], [0.04, 0.039]),
            severity="warning",
            layers=("b", "a"),
            onset=0,
        ),
    ),
)
