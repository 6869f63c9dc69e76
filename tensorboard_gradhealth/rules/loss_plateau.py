"""The loss stays where a model is that has learned nothing, or it has stopped falling too early.

## Meaning
After hundreds of steps the loss is still what always predicting the same would give, or more; or
it did fall, and has stood still since, far from where it could be.

## Why it matters
The first means that nothing is learned at all: either no gradient reaches the weights, or there is
nothing in the labels that this model can find. The second often means that a smaller learning rate
would gain more.

## How it is measured
On the median loss of the last 30 % of the steps so far, once `first_judged` steps and as much of a
run whose length is known (at most 2,000 steps) have passed, and while it does not fall. What
guessing gives is the entropy of the labels seen for a cross-entropy, the variance of the targets
for a squared error.

- at least `level` of guessing: information; a warning if hardly any gradient (less than `blocked`
  of its norm) goes to the kernels, if none of several plain layers has an activation function, or
  if the loss is above `above` times guessing, where only a
  loss counts that has fallen by less than 5 % since the start
- a warning, even while the loss falls, if it is no better than guessing and a kernel has shrunk to
  less than `shrunk` of its first size: weight decay, or the penalty in the loss, eats the weights
- where guessing is not known, as with weights of samples or a loss of one's own, no more than
  `above` times the first 20 steps, and below them by no more than `level` allows or the noise of
  those steps explains (one standard error): information
- below `improved` of its start, above `remains` of it, and flat (within `flat`) for 500 steps at
  a constant learning rate, while the validation loss does not improve either: information

## Likely causes
- gradients do not reach the weights: dead or saturated units, a wrong output activation
- labels that do not depend on the inputs, or were shuffled apart from them
- the learning rate is too low, or was too high at the start
- the loss includes what cannot be reduced: noise in the labels, regularisation
- regularisation so strong that the weights go to zero

## Fixes
Train on one batch alone: a model that cannot learn even that has a fault, else look at the data.
Let the learning rate decay where the loss had fallen before.

## False alarms
A converged run stands still too; it is far below guessing. Some tasks stand still for thousands of
steps and then learn at once ("grokking"). Losses of games between networks need not fall.

## References
- Karpathy, A Recipe for Training Neural Networks, 2019
- Power et al., Grokking: Generalization Beyond Overfitting, arXiv 2201.02177
"""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, found, kernel, ripple, samples
from tensorboard_gradhealth.rules._loss import (
    Curve,
    Guess,
    curve,
    guessing,
    planned_steps,
    several_optimizers,
    start_level,
)
from tensorboard_gradhealth.rules._plateau import eaten, falls, plateau, stopped
from tensorboard_gradhealth.rules._unlearned import (
    broadcast_cause,
    linear_cause,
    share_of_kernels,
    unlearned_causes,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number
from tensorboard_gradhealth.types import Evidence, Fix, Row, Severity

_LONGEST_WAIT = 2000
_ONE_BATCH = Fix(
    "Train on one batch alone. If even that is not learned, the model or the step has a fault; "
    "if it is, look at the labels.",
    "model.fit(x[:32], y[:32], epochs=200)",
)
_BEND = (
    Fix("Give each hidden layer an activation.", 'keras.layers.Dense(units, activation="relu")'),
)


def check(view: View) -> Sign | None:
    """A sign while the loss stands still, and not because it has converged."""
    if several_optimizers(view):
        raise NotEvaluated("several optimizers: the loss of one of them need not fall")
    wait = max(view.limits["first_judged"], min(0.3 * planned_steps(view), _LONGEST_WAIT))
    loss = curve(view)
    if loss.steps <= wait:
        raise NotEvaluated(f"judged after {wait:.0f} steps")
    late = loss.since(loss.first[0] + 0.7 * loss.steps)
    guess = guessing(view)
    if guess and (penalty := eaten(view, late, guess)):
        return penalty
    if len(late.values) < 8 or falls(late, 0.02):
        return None
    never = _never_learned(view, late, guess) if guess else _never_fell(view, late)
    return never or stopped(view, late)


def _never_learned(view: View, late: Curve, guess: Guess) -> Sign | None:
    level, limits = late.level(), view.limits
    if level < limits["level"] * guess.loss:
        return None
    worse = level > limits["above"] * guess.loss
    if worse and not level > 0.95 * start_level(view):
        return None  # weighted, or with much regularisation: it did fall
    share = share_of_kernels(view)
    evidence = [
        Evidence("loss of the last 30 % of the steps", level, guess.loss, "", "loss"),
        Evidence("loss of always predicting the same", guess.loss, None, "", guess.signal),
    ]
    if math.isfinite(share):
        label = "share of the gradient that goes to the kernels"
        evidence.append(Evidence(label, share, limits["blocked"], "", "gradient_norm"))
    linear = linear_cause(view)
    severe = worse or share < limits["blocked"] or linear
    severity: Severity = "warning" if severe else "info"
    head = f"The loss stays at {number(level)}; guessing gives {number(guess.loss)}"
    causes = (*linear, *unlearned_causes(view, share, worse))
    return plateau(view, severity, head, evidence, causes, (*(_BEND if linear else ()), _ONE_BATCH))


def _never_fell(view: View, late: Curve) -> Sign | None:
    level, start = late.level(), start_level(view)
    change = (level - start) / abs(start) if start else math.nan
    least = min(view.limits["level"] - 1, -_start_error(view) / abs(start)) if start else math.nan
    if not least <= change <= view.limits["above"] - 1:
        return None
    evidence = [Evidence("loss of the last 30 % of the steps", level, start, "", "loss")]
    head = f"The loss has not fallen since the start: {number(level)}"
    causes = (*unlearned_causes(view, share_of_kernels(view), worse=False), *broadcast_cause(view))
    return plateau(view, "info", head, evidence, causes, (_ONE_BATCH,))


def _start_error(view: View) -> float:
    """Standard error of `start_level`; 0 if fewer than 20 steps were seen one by one."""
    losses = view.early("loss", 19).ravel().astype(np.float64)
    if len(losses) < 20:
        return 0.0
    deviation = 1.48 * float(np.median(np.abs(losses - np.median(losses))))
    return 1.25 * deviation / math.sqrt(len(losses))  # a median's is 1.25 times that of a mean


_ROWS: Rows = {"variable": (kernel("dense/kernel", 80), kernel("dense_1/kernel", 16))}
_BINARY = {"loss": "binary_crossentropy", "optimizer": "Adam"}
_OWN_LOSS = {"loss": "my_mse", "outputs": [{"units": 1, "loss": "my_mse"}]}
_LABELS: Measures = {"label_counts": lambda s: {"count": [100, 100]}}

RULE = Rule(
    name="loss_plateau",
    code="GH604",
    group="loss",
    requires=("loss",),
    limits={
        "first_judged": 200,
        "level": 0.98,
        "above": 1.2,
        "blocked": 1e-3,
        "shrunk": 0.1,
        "improved": 0.8,
        "remains": 0.3,
        "flat": 0.005,
    },
    hold=3,
    explained_by=(
        "nonfinite_inputs",
        "unscaled_inputs",
        "class_imbalance",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "learning_rate_too_low",
        "unstable_step",
        "dead_units",
        "saturated_activations",
        "attenuating_activation",
        "vanishing_gradients",
        "exploding_gradients",
        "frozen_layer",
        "noise_dominated",
        "loss_divergence",
    ),
    references=(
        "Karpathy 2019, A Recipe for Training Neural Networks",
        "Power et al. 2022, Grokking: Generalization Beyond Overfitting (arXiv 2201.02177)",
    ),
    check=check,
    healthy=(
        case(
            "random labels, on which a sound network can do no better",
            rows=_ROWS,
            run={"loss": lambda s: 0.693 + ripple(s), "gradient_global_norm": lambda s: 0.1},
            variable={"gradient_norm": lambda s: [0.08, 0.05]},
            classes=_LABELS,
            facts=_BINARY,
            steps=400,
        ),
        case(
            "a noisy loss of one's own that falls slowly",
            run={"loss": lambda s: 4.4 * 0.9995**s + 60 * ripple(s)},
            facts=_OWN_LOSS,
            steps=800,
        ),
        case(
            "converged",
            run={"loss": lambda s: 0.01 + 0.7 * 0.98**s, "learning_rate": lambda s: 1e-3},
            classes=_LABELS,
            facts=_BINARY,
            steps=900,
        ),
        case(
            "a negative loss that has converged",
            run={"loss": lambda s: -3 + 0.7 * 0.98**s, "learning_rate": lambda s: 1e-3},
            steps=900,
        ),
        case(
            "a long stand before it learns at once",
            run={"loss": lambda s: 0.69 + ripple(s) if s < 150 else 0.69 * 0.98 ** (s - 150)},
            classes=_LABELS,
            facts=_BINARY,
            steps=400,
        ),
        case(
            "class weights raise the loss, and it falls",
            run={"loss": lambda s: 8 * 0.997**s + 1.5},
            classes=_LABELS,
            facts=_BINARY,
            steps=600,
        ),
        case(
            "a penalty that shrinks the weights, and it learns",
            rows=_ROWS,
            run={"loss": lambda s: 0.1 + 5 * 0.98**s},
            variable={"weight_rms": lambda s: [0.3 * 0.99**s, 0.3]},
            classes=_LABELS,
            facts=_BINARY,
            steps=600,
        ),
        case(
            "rare labels that weigh more: the loss is of another scale than guessing",
            run={"loss": lambda s: 0.67 + ripple(s)},
            classes={"label_counts": lambda s: {"count": [980, 20]}},
            facts={**_BINARY, "sample_weights": True},
            steps=600,
        ),
        case(
            "one short epoch",
            run={"loss": lambda s: 0.693 + ripple(s)},
            classes=_LABELS,
            facts=_BINARY,
            steps=60,
        ),
    ),
    sick=(
        case(
            "no layer bends anything",
            rows=_ROWS,
            run={"loss": lambda s: 0.693 + ripple(s), "gradient_global_norm": lambda s: 0.1},
            variable={"gradient_norm": lambda s: [0.08, 0.05]},
            classes=_LABELS,
            facts={
                **_BINARY,
                "outputs": [
                    {
                        "layer": "dense_1",
                        "activation": "sigmoid",
                        "loss": "binary_crossentropy",
                        "from_logits": False,
                        "units": 1,
                    }
                ],
                "kernel_fans": {"dense/kernel": [5, 16], "dense_1/kernel": [16, 1]},
            },
            steps=400,
            **found("warning", 261),
        ),
        case(
            "a loss of one's own that lies flat, below noisy first steps by a little",
            run={"loss": lambda s: 4.4 + 60 * ripple(s) + (0.2 if s < 20 else 0)},
            facts=_OWN_LOSS,
            steps=480,
            **found("info", 261),
        ),
        case(
            "no gradient reaches the kernels",
            rows=_ROWS,
            run={"loss": lambda s: 0.693 + ripple(s), "gradient_global_norm": lambda s: 0.1},
            variable={"gradient_norm": lambda s: [0, 0]},
            classes=_LABELS,
            facts=_BINARY,
            steps=400,
            **found("warning", 261),
        ),
        case(
            "a sigmoid cannot reach the targets",
            rows={**_ROWS, "feature": (Row("y[0]", role="target"),)},
            run={"loss": lambda s: 2900 + 900 * ripple(s), "gradient_global_norm": lambda s: 1e-3},
            variable={"gradient_norm": lambda s: [8e-4, 5e-4]},
            feature=samples(50, 20, 1, 99, lambda s: 200),
            facts={"loss": "mse", "optimizer": "Adam"},
            steps=400,
            **found("warning", 261),
        ),
        case(
            "the penalty eats the weights, and the loss falls by nothing else",
            rows=_ROWS,
            run={"loss": lambda s: 0.693 + 150 * 0.98**s},
            variable={"weight_rms": lambda s: [0.3 * 0.985**s, 0.3]},
            classes=_LABELS,
            facts=_BINARY,
            steps=400,
            **found("warning", 191, "dense/kernel"),
        ),
        case(
            "it fell, and stands still",
            run={
                "loss": lambda s: 1.4 + 0.9 * 0.98**s + ripple(s),
                "learning_rate": lambda s: 0.05,
            },
            facts={"loss": "sparse_categorical_crossentropy", "optimizer": "SGD"},
            steps=1900,
            **found("info", 1661),
        ),
    ),
)
