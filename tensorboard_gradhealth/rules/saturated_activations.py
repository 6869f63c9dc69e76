"""Most outputs of a hidden layer lie where its activation function is flat.

## Meaning
More than half of the outputs of a bounded activation (sigmoid, tanh, ...) have a slope under 1 %
of the steepest one: for tanh beyond about 3, for sigmoid beyond about 6.

## Why it matters
The gradient is multiplied by that slope on its way back. A saturated layer hardly learns and
hides the loss from all layers in front of it, while its own outputs look strong.

## How it is measured
`saturated_fraction` of hidden activations that are bounded. Over `warning`: a warning, or
information before step 100 and while the network learns all the same (its loss has halved, or has
fallen and goes on falling); over `error`: an error; each for three records in a row. The slope is
compared with the steepest of the same function, not with a fixed number, which a function like
tanh(0.01 x) would break without being saturated. Measured: healthy tanh networks 0.06 to 0.11,
tanh with initial weights of standard deviation 3 0.92.

## Likely causes
- initial weights too large
- inputs that are not scaled
- a learning rate that is too high: weights have grown out of the linear range

## Fixes
Glorot initial weights for tanh and sigmoid; standardised inputs; normalisation in front of the
activation; an unbounded activation.

## False alarms
Output layers saturate when the model is right and are not judged. Gates are meant to saturate.

## References
- Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010
- Rakitianskaia & Engelbrecht, Measuring Saturation in Neural Networks, 2015
"""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import case, hidden, output
from tensorboard_gradhealth.rules._layers import hidden_values, lost_layers
from tensorboard_gradhealth.rules._support import (
    initial_weights_cause,
    input_scale_cause,
    learning_rate_cause,
    likely_first,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import quoted
from tensorboard_gradhealth.types import Fix

UNBOUNDED = (
    *("celu", "elu", "exponential", "gelu", "glu", "leaky_relu", "linear", "log_softmax", "mish"),
    *("prelu", "relu", "relu_squared", "selu", "silu", "softplus", "swish"),
)
"""Functions that are flat on one side by design; for them flat is not saturated."""


def check(view: View) -> Sign | None:
    """A sign while most outputs of a bounded hidden activation are flat."""
    flat = hidden_values(view, "saturated_fraction")
    unbounded = [row.function in UNBOUNDED for row in view.rows("saturated_fraction")]
    flat = np.where(unbounded, np.float32(np.nan), flat)
    if np.isnan(flat).all():
        raise NotEvaluated("no bounded hidden activation was measured")
    lost = lost_layers(view, "saturated_fraction", flat, "outputs", "saturated")
    if lost is None:
        return None
    return Sign(
        severity=lost.severity,
        title=lost.title,
        layers=lost.names,
        evidence=lost.evidence,
        causes=likely_first(
            input_scale_cause(view),
            learning_rate_cause(view),
            initial_weights_cause(view),
        ),
        fixes=_fixes(lost.names[0]),
        harmless="The layer is a gate, or is meant to give hard decisions.",
        check="saturated_fraction stays under 0.2 after the first steps.",
    )


def _fixes(name: str) -> tuple[Fix, ...]:
    return (
        Fix(
            f"Start {quoted(name)} from smaller weights.",
            'keras.layers.Dense(units, activation="tanh", kernel_initializer="glorot_uniform")',
        ),
        Fix("Normalise what the activation sees.", "keras.layers.LayerNormalization()"),
        Fix("Or use an activation without bounds.", 'activation="gelu"'),
    )


RULE = Rule(
    name="saturated_activations",
    code="GH402",
    group="activation",
    requires=("saturated_fraction",),
    limits={"warning": 0.5, "error": 0.9},
    hold=3,
    explained_by=(
        "unscaled_inputs",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "loss_divergence",
    ),
    references=(
        "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural "
        "networks (AISTATS)",
        "Rakitianskaia & Engelbrecht 2015, Measuring Saturation in Neural Networks (IEEE SSCI)",
    ),
    check=check,
    healthy=(
        case(
            "some tanh outputs",
            rows={"activation": (hidden("dense", function="tanh"),)},
            activation={"saturated_fraction": lambda s: 0.11},
        ),
        case(
            "a sigmoid output of a model that is right",
            rows={"activation": (hidden("dense", function="tanh"), output("dense_1"))},
            activation={"saturated_fraction": lambda s: [0.05, 0.99]},
        ),
        case(
            "the negative side of gelu",
            rows={"activation": (hidden("dense", function="gelu"),)},
            activation={"saturated_fraction": lambda s: 0.7},
        ),
    ),
    sick=(
        case(
            "tanh of large weights",
            rows={"activation": (hidden("dense", function="tanh"), output("dense_1"))},
            activation={"saturated_fraction": lambda s: [0.92, 0]},
            severity="error",
            layers=("dense",),
            onset=0,
        ),
        case(
            "a function of the user's own saturates later",
            rows={"activation": (hidden("dense", function="squash"),)},
            activation={"saturated_fraction": lambda s: 0.1 if s < 30 else 0.7},
            steps=150,
            severity="warning",
            layers=("dense",),
            onset=30,
        ),
    ),
)
