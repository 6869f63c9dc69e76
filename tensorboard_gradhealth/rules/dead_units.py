"""Most units of a hidden layer give 0 for every input.

## Meaning
A dead unit gave exactly 0 for each of the last 512 or more samples. More than half of the units
of a hidden layer are dead.

## Why it matters
Where a ReLU gives 0 its derivative is 0: no gradient reaches its weights, and it stays dead. The
layer is narrower than it looks, and when all its units are dead nothing in front of it learns.

## How it is measured
`dead_fraction` of hidden layers with at least `min_units` units (channels of a convolution,
over all positions). Over `warning`: a warning, or information before step 100 and while the
network learns all the same (its loss has halved, or has fallen and goes on falling); over `error`:
an error; each for three records in a row. Measured over 5 seeds: healthy ReLU networks 0 to 0.44,
Adam at 1 from 0.55 to 1.
A single batch is not enough: units for rare features look dead in it. Where over `start` of the
outputs of the worst layer are 0 before the first update (`zero_fraction`), no learning rate can
have done it, and the biases as initialised (`initial_weights`) are looked at.

## Likely causes
- one huge step: the learning rate is too high
- inputs that are not scaled: one large feature switches most units at once
- a large negative bias, or weights that are too small in a deep network
- inputs that are 0

## Fixes
Remove the cause first: let biases begin at 0. `leaky_relu`, `elu` or `gelu` let a gradient through
where `relu` does not; normalisation in front of the activation centres its inputs.

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
    calmer,
    input_scale_cause,
    largest_first_update,
    learning_rate_cause,
    likely_first,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import lower_learning_rate, number, percent, quoted
from tensorboard_gradhealth.types import NOT_MEASURED, Cause, Evidence, Fix, Row


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
    born = _dead_at_start(view, lost.names[0])
    return Sign(
        severity=lost.severity,
        title=lost.title,
        layers=lost.names,
        onset=0 if born else None,
        evidence=(*lost.evidence, *born),
        causes=_causes(view, lost.names, born),
        fixes=_fixes(view, lost.names, born),
        harmless="The layer is sparse by design, or far wider than the task needs.",
        check="dead_fraction stays under 0.5 after the first 512 samples.",
    )


def _dead_at_start(view: View, name: str) -> tuple[Evidence, ...]:
    """What shows that the layer gave 0 before the first update; empty if nothing does."""
    signal, limit = "zero_fraction", view.limits["start"]
    if not view.has(signal) or view.early_steps(signal)[:1].tolist() != [0]:
        return ()
    names = [row.name for row in view.rows(signal)]
    zeros = float(view.early(signal)[0][names.index(name)]) if name in names else 0.0
    if not zeros > limit:
        return ()
    label = "share of outputs that are 0 before the first update"
    return (Evidence(label, zeros, limit, "", signal, 0, name),)


def _negative_bias(view: View, names: tuple[str, ...]) -> tuple[str, float] | None:
    """The bias of these layers that began furthest below zero, and where the highest of it was."""
    if not view.has("initial_weights"):
        return None
    layers = {row.layer for row in view.rows("dead_fraction") if row.name in names}
    highest = view.latest("initial_weights", "max")
    rows = view.rows("initial_weights")
    own = [i for i, row in enumerate(rows) if row.role == "bias" and row.layer in layers]
    value, name = min(((float(highest[i]), rows[i].name) for i in own), default=(0.0, ""))
    return (name, value) if value < -view.limits["bias"] else None


def _causes(view: View, names: tuple[str, ...], born: tuple[Evidence, ...]) -> tuple[Cause, ...]:
    rate, bias = learning_rate_cause(view), _negative_bias(view, names)
    if born:
        support = f"zero_fraction: {percent(born[0].value)} of the outputs are 0 before any update"
        rate = Cause(rate.text, "ruled out", support)
    drawn = Cause("a large negative bias, or initial weights that are too small")
    if born and bias:
        support = f"initial_weights: {quoted(bias[0])} starts at {number(bias[1])} or less"
        drawn = Cause("a large negative bias", "likely", support)
    return likely_first(rate, input_scale_cause(view), drawn)


def _fixes(view: View, names: tuple[str, ...], born: tuple[Evidence, ...]) -> tuple[Fix, ...]:
    leaky = Fix(
        f"Let a gradient through where {quoted(names[0])} gives 0.",
        'keras.layers.Dense(units, activation="leaky_relu")',
    )
    if born and _negative_bias(view, names):
        code = 'keras.layers.Dense(units, activation="relu", bias_initializer="zeros")'
        return Fix("Start the biases at 0.", code), leaky
    update = largest_first_update(view)
    if born or update is None:
        return (leaky, Fix("Centre what the activation sees.", "keras.layers.BatchNormalization()"))
    return lower_learning_rate(view, calmer(view, update.begin)), leaky


_BIAS = Row("dense/bias", "dense", "bias", 16)

RULE = Rule(
    name="dead_units",
    code="GH401",
    group="activation",
    requires=("dead_fraction",),
    limits={"warning": 0.5, "error": 0.9, "min_units": 8, "start": 0.9, "bias": 1.0},
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
            "more units than the task needs, in a network that learns",
            rows={"activation": (hidden("dense", 32), hidden("dense_1", 32))},
            run={"loss": lambda s: 0.05 + 0.7 * float(0.99**s)},
            activation={"dead_fraction": lambda s: [0, 0 if s < 23 else 0.6]},
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
            "biases that switch every unit off",
            rows={
                "variable": (Row("dense/kernel", "dense", "kernel"), _BIAS),
                "activation": (hidden("dense", 16), output("dense_1")),
            },
            run={"learning_rate": lambda s: 0.05},
            variable={
                "initial_weights": lambda s: (
                    {"mean": [0, -5], "std": [0.1, 0], "max": [0.2, -5]} if s == 0 else None
                )
            },
            activation={
                "dead_fraction": lambda s: [0 if s < 16 else 1, 0],
                "zero_fraction": lambda s: [1, 0],
            },
            severity="error",
            layers=("dense",),
            onset=0,
        ),
        case(
            "two layers, one worse, and a loss that stands still",
            rows={"activation": (hidden("conv"), hidden("conv_1"), hidden("dense"))},
            run={"loss": lambda s: 0.7 - 0.1 * min(s, 10) / 10},
            activation={"dead_fraction": lambda s: [0.6, 0.8, 0.2]},
            steps=150,
            severity="warning",
            layers=("conv_1", "conv"),
            onset=0,
        ),
    ),
)
