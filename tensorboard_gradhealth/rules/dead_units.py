"""Most units of a hidden layer give 0 for every input.

## Meaning
A dead unit gave exactly 0 for each of the last 512 or more samples. More than half of the units
of a hidden layer are dead.

## Why it matters
Where a ReLU gives 0 its derivative is 0: no gradient reaches its weights, and it stays dead. The
layer is narrower than it looks, and when all its units are dead nothing in front of it learns.

## How it is measured
`dead_fraction` of hidden layers with at least `min_units` units (channels of a convolution,
over all positions). Over `warning`: a warning; over `error`: an error; each for three records
in a row. Measured over 5 seeds: healthy ReLU networks 0 to 0.44, Adam at 1 from 0.55 to 1.
A single batch is not enough: units for rare features look dead in it.

## Likely causes
- one huge step: the learning rate is too high
- inputs that are not scaled: one large feature switches most units at once
- a large negative bias, or weights that are too small in a deep network

## Fixes
Remove the cause first. `leaky_relu`, `elu` or `gelu` let a gradient through where `relu` does
not; normalisation in front of the activation centres its inputs.

## False alarms
Layers that are sparse by design (top-k routing, ReLU under an L1 penalty), and networks that are
far wider than the task needs.

## References
- Lu et al., Dying ReLU and Initialization, arXiv 1903.06733
- Sokar et al., The Dormant Neuron Phenomenon, arXiv 2302.12902
"""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import case, hidden, output
from tensorboard_gradhealth.rules._layers import hidden_values, lost_layers
from tensorboard_gradhealth.rules._support import (
    input_scale_cause,
    largest_first_update,
    learning_rate_cause,
    likely_first,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import lower_learning_rate, quoted
from tensorboard_gradhealth.types import NOT_MEASURED, Cause, Fix


def check(view: View) -> Sign | None:
    """A sign while more than half of a hidden layer is dead."""
    dead = hidden_values(view, "dead_fraction")
    dead = np.where(view.sizes("dead_fraction") >= view.limits["min_units"], dead, np.nan)
    if np.isnan(dead).all():
        least = view.limits["min_units"]
        raise NotEvaluated(f"no hidden layer of {least:.0f} units or more was measured")
    lost = lost_layers(view, "dead_fraction", dead, "units", "dead")
    if lost is None:
        return None
    return Sign(
        severity=lost.severity,
        title=lost.title,
        layers=lost.names,
        evidence=lost.evidence,
        causes=likely_first(
            learning_rate_cause(view),
            input_scale_cause(view),
            Cause("a large negative bias, or initial weights that are too small"),
        ),
        fixes=_fixes(view, lost.names[0]),
        harmless="The layer is sparse by design, or far wider than the task needs.",
        check="dead_fraction stays under 0.5 after the first 512 samples.",
    )


def _fixes(view: View, name: str) -> tuple[Fix, ...]:
    leaky = Fix(
        f"Let a gradient through where {quoted(name)} gives 0.",
        'keras.layers.Dense(units, activation="leaky_relu")',
    )
    update = largest_first_update(view)
    if update is None:
        return (leaky, Fix("Centre what the activation sees.", "keras.layers.BatchNormalization()"))
    return lower_learning_rate(view, 0.005 / update.ratio), leaky


RULE = Rule(
    name="dead_units",
    code="GH401",
    group="activation",
    requires=("dead_fraction",),
    limits={"warning": 0.5, "error": 0.9, "min_units": 8},
    hold=3,
    explained_by=(
        "unscaled_inputs",
        "class_imbalance",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "unstable_step",
        "loss_divergence",
    ),
    references=(
        "Lu et al. 2019, Dying ReLU and Initialization (arXiv 1903.06733)",
        "Sokar et al. 2023, The Dormant Neuron Phenomenon (arXiv 2302.12902)",
    ),
    check=check,
    healthy=(
        case(
            "16 units of which 7 are dead",
            rows={"activation": (hidden("dense", 16),)},
            activation={"dead_fraction": lambda s: 0.4375},
        ),
        case(
            "too few units to speak of a share",
            rows={"activation": (hidden("dense", 4), hidden("dense_1"))},
            activation={"dead_fraction": lambda s: [0.75, 0.1]},
        ),
        case(
            "a sigmoid output that is never positive",
            rows={"activation": (hidden("dense", 16), output("dense_1", 10))},
            activation={"dead_fraction": lambda s: [0, 1]},
        ),
        case(
            "two records are not three",
            rows={"activation": (hidden("dense", 64),)},
            activation={"dead_fraction": lambda s: 0.8 if s in (20, 21) else 0.1},
        ),
        case(
            "not measured yet",
            rows={"activation": (hidden("dense", 64),)},
            activation={"dead_fraction": lambda s: NOT_MEASURED},
        ),
    ),
    sick=(
        case(
            "all units die at step 16",
            rows={"activation": (hidden("dense", 16), output("dense_1"))},
            activation={"dead_fraction": lambda s: [NOT_MEASURED if s < 16 else 1, 0]},
            severity="error",
            layers=("dense",),
            onset=16,
        ),
        case(
            "two layers, one worse",
            rows={"activation": (hidden("conv"), hidden("conv_1"), hidden("dense"))},
            activation={"dead_fraction": lambda s: [0.6, 0.8, 0.2]},
            severity="warning",
            layers=("conv_1", "conv"),
            onset=0,
        ),
    ),
)
