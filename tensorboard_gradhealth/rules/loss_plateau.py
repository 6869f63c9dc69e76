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

import dataclasses
import math
import re

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, kernel
from tensorboard_gradhealth.rules._loss import (
    Curve,
    Guess,
    curve,
    guessing,
    planned_steps,
    several_optimizers,
    start_level,
    untrained,
)
from tensorboard_gradhealth.rules._support import likely_first
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, optimizer_class, percent, quoted, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row, Severity

_LONGEST_WAIT = 2000
_OF_KERAS = (  # beginnings of the names of losses that bring both to one shape first
    "mean_",
    "binary_",
    "categorical_",
    "sparse_",
    "huber",
    "log_cosh",
    "kl_divergence",
    "poisson",
    "hinge",
    "squared_hinge",
    "cosine_similarity",
    "dice",
    "tversky",
    "ctc",
)
_ONE_BATCH = Fix(
    "Train on one batch alone. If even that is not learned, the model or the step has a fault; "
    "if it is, look at the labels.",
    "model.fit(x[:32], y[:32], epochs=200)",
)


_PLAIN = re.compile(r"(.*/)?(dense|conv[123]d)(_\d+)?/kernel")
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
    if guess and (eaten := _eaten(view, late, guess)):
        return eaten
    if len(late.values) < 8 or _falls(late, 0.02):
        return None
    never = _never_learned(view, late, guess) if guess else _never_fell(view, late)
    return never or _stopped(view, late)


def _eaten(view: View, late: Curve, guess: Guess) -> Sign | None:
    """A sign where a kernel has all but vanished, and the loss is no better than guessing."""
    if not view.has("weight_rms") or not len(first := view.early("weight_rms", 0)):
        return None
    left = np.where(view.where("weight_rms", "kernel"), view.latest("weight_rms") / first[0], 1)
    shrunk, row = view.limits["shrunk"], int(np.nan_to_num(left, nan=1).argmin())
    if not (left[row] < shrunk and late.level() >= view.limits["level"] * guess.loss):
        return None
    name, share = view.rows("weight_rms")[row].name, float(left[row])
    evidence = [
        Evidence("size / first size", share, shrunk, "", "weight_rms", row=name),
        Evidence("loss of the last 30 % of the steps", late.level(), guess.loss, "", "loss"),
    ]
    support = f"weight_rms: {quoted(name)} has {percent(share)} of its first size"
    return _sign(
        view,
        "warning",
        title("Decay leaves nothing of {}, and the loss is that of guessing", name),
        evidence,
        (Cause("weight decay or the penalty on weights is far too strong", "likely", support),),
        (
            Fix(
                "Divide the penalty or the decay by 100.",
                "kernel_regularizer = keras.regularizers.L2(1e-4)",
            ),
        ),
        layers=(name,),
    )


def _falls(late: Curve, share: float) -> bool:
    """Whether it fell by more than that share, and by more than noise explains."""
    slope, error = late.trend()
    return -slope * late.steps > share * abs(late.level()) and -slope > 2 * error


def _never_learned(view: View, late: Curve, guess: Guess) -> Sign | None:
    level, limits = late.level(), view.limits
    if level < limits["level"] * guess.loss:
        return None
    worse = level > limits["above"] * guess.loss
    if worse and not level > 0.95 * start_level(view):
        return None  # weighted, or with much regularisation: it did fall
    share = _share_of_kernels(view)
    evidence = [
        Evidence("loss of the last 30 % of the steps", level, guess.loss, "", "loss"),
        Evidence("loss of always predicting the same", guess.loss, None, "", guess.signal),
    ]
    if math.isfinite(share):
        label = "share of the gradient that goes to the kernels"
        evidence.append(Evidence(label, share, limits["blocked"], "", "gradient_norm"))
    linear = _linear_cause(view)
    severe = worse or share < limits["blocked"] or linear
    severity: Severity = "warning" if severe else "info"
    head = f"The loss stays at {number(level)}; guessing gives {number(guess.loss)}"
    causes = (*linear, *_never_causes(view, share, worse))
    return _sign(view, severity, head, evidence, causes, (*(_BEND if linear else ()), _ONE_BATCH))


def _linear_cause(view: View) -> tuple[Cause, ...]:
    """That several layers in a row have no activation function, and so are worth one."""
    fans = view.facts.get("kernel_fans") or {}
    if len(fans) < 2 or not view.has("gradient_norm") or not view.facts.get("loss"):
        return ()
    # Inside of other layers, functions are not seen.
    rows = [row for row in view.rows("gradient_norm") if row.role == "kernel"]
    if not all(_PLAIN.fullmatch(row.name) for row in rows):
        return ()
    if not all(head["activation"] for head in view.facts.get("outputs") or [{"activation": ""}]):
        return ()  # what a `call` of one's own does is not seen
    seen = "activation_nonfinite"
    if view.has(seen) and view.where(seen, "hidden").any():
        return ()
    text = "no layer has an activation function: all of them together are one linear map"
    return (Cause(text, "likely", "the model: no activation between its kernels"),)


def _never_fell(view: View, late: Curve) -> Sign | None:
    level, start = late.level(), start_level(view)
    change = (level - start) / abs(start) if start else math.nan
    least = min(view.limits["level"] - 1, -_start_error(view) / abs(start)) if start else math.nan
    if not least <= change <= view.limits["above"] - 1:
        return None
    evidence = [Evidence("loss of the last 30 % of the steps", level, start, "", "loss")]
    head = f"The loss has not fallen since the start: {number(level)}"
    causes = (*_never_causes(view, _share_of_kernels(view), worse=False), *_broadcast(view))
    return _sign(view, "info", head, evidence, causes, (_ONE_BATCH,))


def _start_error(view: View) -> float:
    """Standard error of `start_level`; 0 if fewer than 20 steps were seen one by one."""
    losses = view.early("loss", 19).ravel().astype(np.float64)
    if len(losses) < 20:
        return 0.0
    deviation = 1.48 * float(np.median(np.abs(losses - np.median(losses))))
    return 1.25 * deviation / math.sqrt(len(losses))  # a median's is 1.25 times that of a mean


def _broadcast(view: View) -> tuple[Cause, ...]:
    """That a loss of one's own may compare each target with each output, which Keras' do not."""
    heads = view.facts.get("outputs") or []
    if len(heads) != 1 or heads[0]["units"] != 1 or not _is_own(heads[0]["loss"]):
        return ()
    name = quoted(heads[0]["loss"])
    return (Cause(f"{name} subtracts shapes (n,) and (n, 1), which makes (n, n) differences"),)


def _is_own(loss: str) -> bool:
    return bool(loss) and not loss.startswith(_OF_KERAS)


def _share_of_kernels(view: View) -> float:
    """Share of the gradient's norm that the largest kernel gradient has; NaN if unknown."""
    if not (view.has("gradient_norm") and view.has("gradient_global_norm")):
        return math.nan
    kernels = view.past("gradient_norm", 10)[:, view.where("gradient_norm", "kernel")]
    whole = view.past("gradient_global_norm", 10)[:, 0]
    if not kernels.size or len(kernels) != len(whole):
        return math.nan
    return float(np.median(np.nan_to_num(kernels.max(axis=1) / whole)))


def _never_causes(view: View, share: float, worse: bool) -> tuple[Cause, ...]:
    blocked = Cause("no gradient reaches the weights")
    if share < view.limits["blocked"]:
        support = f"gradient_norm: the kernels get {number(share)} of the gradient"
        blocked = Cause(blocked.text, "likely", support)
    elif math.isfinite(share):
        blocked = Cause(blocked.text, "ruled out")
    unreachable = Cause("the output activation cannot reach the values of the labels")
    return likely_first(
        blocked,
        *((unreachable,) if worse else ()),
        Cause("the labels do not depend on the inputs, as far as this model can tell"),
        Cause("the learning rate is far too low, or was far too high at the start"),
    )


def _stopped(view: View, late: Curve) -> Sign | None:
    """Information where the loss fell once and stands still, far from nothing."""
    level, start, limits = late.level(), untrained(view), view.limits
    if late.steps < 500 or _falls(late, limits["flat"]) or not _rate_is_constant(view):
        return None
    if not limits["remains"] * start < level < limits["improved"] * start:
        return None
    if _validation_improves(view, late.first[0]):
        return None
    slope = late.trend()[0]
    evidence = [
        Evidence(
            f"fall of the loss in the last {late.steps:.0f} steps, as a share of it",
            -slope * late.steps / level,
            limits["flat"],
            "",
            "loss",
        ),
        Evidence(
            "loss of the last 30 % of the steps", level, limits["remains"] * start, "", "loss"
        ),
    ]
    name = optimizer_class(view) or "Adam"
    decay = (
        "schedule = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps)\n"
        f"optimizer = keras.optimizers.{name}(schedule)"
    )
    return _sign(
        view,
        "info",
        f"The loss has stopped falling at {number(level)}",
        evidence,
        (
            Cause("the learning rate, which was never lowered, is too high to get closer"),
            Cause("the model is too small, or regularised too much, for the task"),
            Cause("the rest is noise in the labels"),
        ),
        (
            Fix("Lower the learning rate when the loss stands still, or let it decay.", decay),
            Fix("If that gains nothing, try a larger model or less regularisation."),
        ),
    )


def _rate_is_constant(view: View) -> bool:
    rate = curve(view, "learning_rate").values
    return bool(len(rate) and rate[-1] > 0.9 * rate.max())


def _validation_improves(view: View, since: float) -> bool:
    loss = curve(view, "validation_loss")
    before, after = loss.until(since).values, loss.since(since).values
    return bool(len(before) and len(after) and after.min() < 0.99 * before.min())


def _sign(
    view: View,
    severity: Severity,
    head: str,
    evidence: list[Evidence],
    causes: tuple[Cause, ...],
    fixes: tuple[Fix, ...],
    layers: tuple[str, ...] = (),
) -> Sign:
    at = view.record.step
    return Sign(
        severity=severity,
        title=head,
        layers=layers,
        evidence=tuple(dataclasses.replace(item, step=at) for item in evidence),
        causes=causes,
        fixes=fixes,
        harmless="There is nothing more to learn: random labels, or a loss with a high floor.",
        check="The loss is clearly below what guessing gives, and falls.",
    )


_ROWS: Rows = {"variable": (kernel("dense/kernel", 80), kernel("dense_1/kernel", 16))}
_BINARY = {"loss": "binary_crossentropy", "optimizer": "Adam"}
_OWN_LOSS = {"loss": "my_mse", "outputs": [{"units": 1, "loss": "my_mse"}]}
_LABELS: Measures = {"label_counts": lambda s: {"count": [100, 100]}}


def _targets(step: int) -> dict[str, list[float]]:
    values = {"count": 200.0, "mean": 50.0, "std": 20.0, "min": 1.0, "max": 99.0, "nonfinite": 0.0}
    return {field: [value] for field, value in values.items()}


def _noise(step: int) -> float:
    return 0.02 * math.sin(2.4 * step)


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
            run={"loss": lambda s: 0.693 + _noise(s), "gradient_global_norm": lambda s: 0.1},
            variable={"gradient_norm": lambda s: [0.08, 0.05]},
            classes=_LABELS,
            facts=_BINARY,
            steps=400,
        ),
        case(
            "a noisy loss of one's own that falls slowly",
            run={"loss": lambda s: 4.4 * 0.9995**s + 60 * _noise(s)},
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
            run={"loss": lambda s: 0.69 + _noise(s) if s < 150 else 0.69 * 0.98 ** (s - 150)},
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
            run={"loss": lambda s: 0.67 + _noise(s)},
            classes={"label_counts": lambda s: {"count": [980, 20]}},
            facts={**_BINARY, "sample_weights": True},
            steps=600,
        ),
        case(
            "one short epoch",
            run={"loss": lambda s: 0.693 + _noise(s)},
            classes=_LABELS,
            facts=_BINARY,
            steps=60,
        ),
    ),
    sick=(
        case(
            "no layer bends anything",
            rows=_ROWS,
            run={"loss": lambda s: 0.693 + _noise(s), "gradient_global_norm": lambda s: 0.1},
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
            severity="warning",
            onset=261,
        ),
        case(
            "a loss of one's own that lies flat, below noisy first steps by a little",
            run={"loss": lambda s: 4.4 + 60 * _noise(s) + (0.2 if s < 20 else 0)},
            facts=_OWN_LOSS,
            steps=480,
            severity="info",
            onset=261,
        ),
        case(
            "no gradient reaches the kernels",
            rows=_ROWS,
            run={"loss": lambda s: 0.693 + _noise(s), "gradient_global_norm": lambda s: 0.1},
            variable={"gradient_norm": lambda s: [0, 0]},
            classes=_LABELS,
            facts=_BINARY,
            steps=400,
            severity="warning",
            onset=261,
        ),
        case(
            "a sigmoid cannot reach the targets",
            rows={**_ROWS, "feature": (Row("y[0]", role="target"),)},
            run={"loss": lambda s: 2900 + 900 * _noise(s), "gradient_global_norm": lambda s: 1e-3},
            variable={"gradient_norm": lambda s: [8e-4, 5e-4]},
            feature={"input_features": _targets},
            facts={"loss": "mse", "optimizer": "Adam"},
            steps=400,
            severity="warning",
            onset=261,
        ),
        case(
            "the penalty eats the weights, and the loss falls by nothing else",
            rows=_ROWS,
            run={"loss": lambda s: 0.693 + 150 * 0.98**s},
            variable={"weight_rms": lambda s: [0.3 * 0.985**s, 0.3]},
            classes=_LABELS,
            facts=_BINARY,
            steps=400,
            severity="warning",
            layers=("dense/kernel",),
            onset=191,
        ),
        case(
            "it fell, and stands still",
            run={
                "loss": lambda s: 1.4 + 0.9 * 0.98**s + _noise(s),
                "learning_rate": lambda s: 0.05,
            },
            facts={"loss": "sparse_categorical_crossentropy", "optimizer": "SGD"},
            steps=1900,
            severity="info",
            onset=1661,
        ),
    ),
)
