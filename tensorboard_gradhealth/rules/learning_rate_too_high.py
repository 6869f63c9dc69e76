"""Updates are too large for the weights that they change.

## Meaning
In one of the first steps, a kernel changed by as much as its own size or more; or many smaller
steps added up to several times its size; or, later, it keeps changing by more than a tenth of its
size at every step; or the loss is so curved that no step of that length can follow it.

## Why it matters
Such a step throws the initial weights away. With ReLU it often lands where most units give 0 for
every input, from where no gradient leads back: the loss jumps once, then stays flat, and every
later measurement looks calm. Only the first steps show the reason.

## How it is measured
`update_ratio` = norm of the real change of a kernel / norm of the kernel before it, whatever the
optimizer, its momentum, decay and clipping. Judged are kernels with at least 16 elements that
do not start from almost zero and have no normalisation right after them. The largest ratio of
steps 0 to 20:

- over `jump`: a warning at once
- over `warning`: a warning, and from `error` on (or `jump`) an error, if by step `recovery_step`
  the loss is not at least `recovery` lower than at the start (`jump_recovery` after a jump)
- a warning if by step `recovery_step`, or in the 50 steps after the learning rate doubled or more
  at once, a kernel reaches `growth` times its norm before (or half of the usual one, if it began
  with less), and the loss is not at least `jump_recovery` lower than at the start, nor on its way
  there: momentum near 1 does that, because its steps add up until they are as long as those of the
  learning rate / (1 - momentum), which takes 1 / (1 - momentum) steps, so that above 0.98 all of
  these are looked at. Steps that add up because the labels come one class after the other say
  nothing about the rate

and later a warning if the median ratio over at least `sustained_steps` steps exceeds `sustained`
while the loss does not fall, or if the last three probes of the curvature put `stability_margin`
over `margin` while the loss neither falls nor is below half of its start. A margin of 1 is where
gradient descent begins to oscillate, and healthy training lives there; at 2 it does not.

Measured over 3 to 5 seeds: SGD that trains 0.01 to 0.42, Adam 1e-3 0.003 to 0.01, Adam 1e-2 0.08,
Adam 0.1 (degraded) 0.56 to 0.78, SGD 1 with batch normalisation (trains) 0.89 to 1.2, Adam 0.3
1.7 to 2.3, Adam 1 3 to 8. Hence no verdict between 0.5 and 2 before the loss has spoken. Growth in
50 steps: up to 1.7 where it trains, 4 at a momentum of 0.999, 9 and more where it breaks.

## Likely causes
- the learning rate
- a momentum near 1
- gradients that are huge from the start: inputs that are not scaled, or initial weights too large

## Fixes
Lower the learning rate until the first steps change kernels by less than a tenth; let it
rise over the first steps (warm-up); clip the gradient norm.

## False alarms
Early overshoot can recover by itself (the "catapult"), which is why the loss is awaited. Weights
right before a normalisation may take large relative steps, because their scale does not matter;
they are not judged, nor are biases and embeddings. An adaptive optimizer with float16 weights and
no loss scaling is not judged: there the squares of gradients underflow, whatever the rate.

## References
- Lewkowycz et al., The large learning rate phase of deep learning, arXiv 2003.02218
- Gilmer et al., A Loss Curvature Perspective on Training Instability, arXiv 2110.04369
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import (
    Case,
    Measure,
    Measures,
    Rows,
    case,
    features,
    found,
    kernel,
    samples,
)
from tensorboard_gradhealth.rules._growth import outgrown
from tensorboard_gradhealth.rules._long_steps import (
    beyond_the_edge,
    by_rate,
    causes,
    fixes,
    overshoot_evidence,
    rate_and_fall,
)
from tensorboard_gradhealth.rules._loss import struck_at, uphill
from tensorboard_gradhealth.rules._pace import rate_was_lowered
from tensorboard_gradhealth.rules._support import (
    FIRST_STEPS,
    Update,
    in_half_precision,
    largest_first_update,
    loss_drop,
    real_kernels,
    recent_loss_drop,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import ADAPTIVE, number, optimizer_class, percent, title
from tensorboard_gradhealth.types import Evidence, Row, Severity

_OUTLIER = 1000.0  # Times the loss of an untrained model, which no calm step leads to.


def check(view: View) -> Sign | None:
    """A sign for the first steps as long as the rate is that high, or for the latest ones."""
    if in_half_precision(view) and optimizer_class(view) in ADAPTIVE:
        raise NotEvaluated("the squares of float16 gradients decide about the steps, not the rate")
    if view.record.step <= FIRST_STEPS and struck_at(view, _OUTLIER) is not None:
        return None  # the gradient of one batch, which `loss_spike` tells of
    if uphill(view) is not None or view.scalar("learning_rate", "max") < 0:
        return None  # `unstable_step` tells of the way that they lead
    update = largest_first_update(view, view.limits["warning"])
    severity = _first_steps(view, update.ratio) if update else None
    if update and severity:
        limit = view.limits["error" if update.ratio >= view.limits["error"] else "warning"]
        return _sign(view, update, severity, limit, update.step)
    return outgrown(view) or _sustained(view) or beyond_the_edge(view)


def _first_steps(view: View, ratio: float) -> Severity | None:
    limits = view.limits
    if rate_was_lowered(view):
        return None
    if view.record.step < limits["recovery_step"]:
        return "warning" if ratio >= limits["jump"] else None
    if loss_drop(view) >= _recovery(view, ratio):
        return None
    return "error" if ratio >= limits["error"] else "warning"


def _recovery(view: View, ratio: float) -> float:
    """Fall of the loss that excuses such a step: after a jump, noise is not enough."""
    return view.limits["jump_recovery" if ratio >= view.limits["jump"] else "recovery"]


def _sustained(view: View) -> Sign | None:
    limit = view.limits["sustained"]
    latest = view.latest("update_ratio")
    judged = real_kernels(view, view.latest("weight_rms"))
    if not (judged & (latest > limit)).any():
        return None
    steps = view.past_steps("update_ratio")
    kept = steps[:, 0] > FIRST_STEPS
    if not kept.any() or steps[-1, 1] - steps[kept][0, 0] + 1 < view.limits["sustained_steps"]:
        return None
    median = np.median(view.past("update_ratio")[kept], axis=0)
    median = np.where(judged & np.isfinite(median), median, 0)
    row = int(median.argmax())
    if not median[row] > limit or recent_loss_drop(view) > 0.05:
        return None
    name = view.rows("update_ratio")[row].name
    first = int(steps[kept][0, 0])
    update = Update(float(median[row]), name, view.record.step, float(median[row]))
    return _sign(view, update, "warning", limit, first)


def _sign(view: View, update: Update, severity: Severity, limit: float, onset: int) -> Sign:
    jumped = onset == update.step
    extent = f"{percent(update.ratio)} of" if update.ratio < 10 else f"{number(update.ratio)} times"
    head = f"{{}} changed by {extent} its size in one step"
    if not jumped:
        head = f"{{}} keeps changing by {extent} its size per step"
    rate = view.scalar("learning_rate", "max")
    if rate > 0 and by_rate(view, update):
        change = "changed by" if jumped else "keeps changing by"
        head = f"Learning rate {number(rate)} is too high: {{}} {change} {extent} its size"
    return Sign(
        severity=severity,
        title=title(head, update.row),
        layers=(update.row,),
        onset=onset,
        evidence=_evidence(view, update, limit),
        causes=causes(view, update),
        fixes=fixes(view, update),
        harmless="The loss falls all the same, or the layer is normalised right after.",
        check="update_ratio stays under 0.1 for every kernel during the first 20 steps.",
    )


def _evidence(view: View, update: Update, limit: float) -> tuple[Evidence, ...]:
    label = "norm of the change / norm of the kernel"
    change = Evidence(label, update.ratio, limit, "", "update_ratio", update.step, update.row)
    needed = _recovery(view, update.ratio)
    return (change, *rate_and_fall(view, needed), *overshoot_evidence(view))


def _moves(ratio: Measure, size: Measure = lambda s: 0.3) -> Measures:
    """How the first of two kernels changes, and how large it is; the other one is calm."""
    return {"update_ratio": lambda s: [ratio(s), 0.005], "weight_rms": lambda s: [size(s), 0.3]}


def _kernels(first: float, later: float = 0.01) -> Measures:
    return _moves(lambda s: first if s == 0 else later)


_ROWS: Rows = {"variable": (kernel("dense/kernel", 80), kernel("dense_1/kernel", 16))}
_START = {"mean": 0, "std": [0.4, 0.3], "min": -1, "max": 1, "zero_fraction": 0}


def _case(label: str, variable: Measures, **given: Any) -> Case:
    """A run of the two kernels above."""
    return case(label, rows=_ROWS, variable=variable, **given)


RULE = Rule(
    name="learning_rate_too_high",
    code="GH301",
    group="step",
    requires=("update_ratio", "weight_rms"),
    limits={
        "warning": 0.5,
        "error": 1.0,
        "jump": 2.0,
        "recovery": 0.1,
        "jump_recovery": 0.5,
        "recovery_step": 40,
        "growth": 2.5,
        "sustained": 0.1,
        "sustained_steps": 50,
        "margin": 2.0,
    },
    explained_by=("unscaled_inputs", "poor_initialization", "output_loss_mismatch"),
    references=(
        "Lewkowycz et al. 2020, The large learning rate phase of deep learning (arXiv 2003.02218)",
        "Gilmer et al. 2021, A Loss Curvature Perspective on Training Instability "
        "(arXiv 2110.04369)",
    ),
    check=check,
    healthy=(
        _case("Adam at 1e-3", _kernels(0.006), run={"loss": lambda s: 0.69}),
        _case("SGD at 1", _kernels(0.42, 0.03), run={"loss": lambda s: 0.69}),
        _case(
            "a large first step in front of a normalisation, and the loss falls",
            _kernels(1.2),
            run={"loss": lambda s: 2.3 * 0.97**s},
        ),
        _case(
            "restless weights, and the loss falls",
            _kernels(0.2, 0.2),
            run={"loss": lambda s: 2.3 * 0.99**s},
            steps=200,
        ),
        _case(
            "a branch that starts from zero",
            _moves(lambda s: 1e30 if s == 0 else 1 / s, lambda s: 1e-3 * (s + 1)),
            run={"loss": lambda s: 0.69},
        ),
        case(
            "a kernel right before a normalisation",
            rows={
                "variable": (
                    kernel("dense/kernel", 80),
                    Row("norm/gamma", "norm", "norm", 16),
                    kernel("dense_1/kernel", 16),
                )
            },
            variable={
                "update_ratio": lambda s: [1.2, 0.1, 0.01],
                "weight_rms": lambda s: [0.3, 1, 0.3],
            },
            run={"loss": lambda s: 0.69},
        ),
        case(
            "only a small kernel",
            rows={"variable": (kernel("dense/kernel", 8),)},
            variable={"update_ratio": lambda s: [5], "weight_rms": lambda s: [0.3]},
        ),
        _case(
            "restarts of the rate, and small steps",
            _kernels(0.01),
            run={"loss": lambda s: 2.3, "learning_rate": lambda s: 1e-3 * (1.01 - s % 60 / 60)},
            steps=300,
        ),
        _case(
            "weights that grow, and the loss falls",
            _moves(lambda s: 0.04, lambda s: 0.3 * 1.03 ** min(s, 50)),
            run={"loss": lambda s: 2.3 * 0.96**s},
            steps=100,
        ),
        case(
            "weights that began small, as a language model's, grow to their size",
            rows={"variable": (kernel("dense/kernel", 9216), kernel("dense_1/kernel", 9216))},
            variable={
                "update_ratio": lambda s: [0.06, 0.06],
                "weight_rms": lambda s: [min(0.02 + 0.0015 * s, 0.08)] * 2,
            },
            run={"loss": lambda s: 2.2 + 1.5 * 0.95**s},
            steps=100,
        ),
        _case(
            "weights that grow to reach large targets, and the loss goes on falling",
            _moves(lambda s: 0.05, lambda s: 0.3 * 1.05 ** min(s, 60)),
            run={"loss": lambda s: 8e3 + 1.9e5 * (1 - s / 200) ** 2},
            steps=100,
        ),
        case(
            "labels that come one class after the other add up the steps",
            rows={**_ROWS, "class": (Row("0", role="label"), Row("1", role="label"))},
            variable=_moves(lambda s: 0.08 if s < 40 else 0.03, lambda s: 0.3 * 1.04 ** min(s, 50)),
            classes={
                "label_counts": lambda s: {"count": 32 * np.array([min(s + 1, 5), max(s - 4, 0)])}
            },
            run={"loss": lambda s: 1.7, "learning_rate": lambda s: 0.2},
            steps=100,
        ),
        _case(
            "a head that starts from almost zero",
            _moves(lambda s: 0.3 / (s + 1), lambda s: 0.004 * (s + 1)),
            run={"loss": lambda s: 2.3},
            steps=100,
        ),
        _case(
            "beyond the edge of stability, and the loss falls",
            _kernels(0.01),
            run={
                "loss": lambda s: 2.3 * 0.995**s,
                "stability_margin": lambda s: 2.5 if s % 50 == 0 else None,
            },
            steps=400,
        ),
    ),
    sick=(
        case(
            "a loss that sums too much throws the usual initial weights away at once",
            rows={**_ROWS, "feature": features(2)},
            variable={
                "update_ratio": lambda s: [8264.0, 7058.0],
                "weight_rms": lambda s: [0.3 * (1 if s == 0 else 8000), 0.3],
                "initial_weights": lambda s: _START if s == 0 else None,
            },
            feature=samples(0, 1, -3, 3),
            run={"loss": lambda s: 2.3e6 if s == 0 else 6e18, "learning_rate": lambda s: 0.1},
            facts={
                "optimizer": "SGD",
                "kernel_fans": {"dense/kernel": [5, 16], "dense_1/kernel": [16, 1]},
            },
            steps=10,
            **found("warning", 0, "dense/kernel"),
        ),
        _case(
            "Adam at 1",
            _kernels(3.1),
            run={"loss": lambda s: 20 if s == 1 else 0.7, "learning_rate": lambda s: 1.0},
            facts={"optimizer": "adam"},
            **found("error", 0, "dense/kernel"),
        ),
        _case(
            "known before the loss is lost",
            {"update_ratio": lambda s: [2e6, 0.1], "weight_rms": lambda s: [6e5, 0.3]},
            run={"loss": lambda s: 10.0 ** (s + 1), "learning_rate": lambda s: 3.0},
            facts={"optimizer": "sgd"},
            steps=4,
            **found("warning", 0, "dense/kernel"),
        ),
        _case(
            "momentum near one adds up steps of moderate length",
            _moves(lambda s: 0.08 if s < 40 else 0.03, lambda s: 0.3 * 1.04 ** min(s, 50)),
            run={"loss": lambda s: 1.7 if s != 15 else 0.8, "learning_rate": lambda s: 0.2},
            facts={"optimizer": "SGD", "momentum": 0.999},
            steps=100,
            **found("warning", 1, "dense/kernel"),
        ),
        _case(
            "momentum near one takes its time to add up the steps",
            _moves(lambda s: 0.02, lambda s: 0.3 * 1.015 ** min(s, 150)),
            run={"loss": lambda s: 1.7 if s != 15 else 0.8, "learning_rate": lambda s: 0.2},
            facts={"optimizer": "SGD", "momentum": 0.999},
            steps=200,
            **found("warning", 1, "dense/kernel"),
        ),
        _case(
            "a schedule that raises the rate a thousandfold",
            _moves(lambda s: 0.01 if s < 120 else 4.0, lambda s: 0.3 if s < 120 else 3.0),
            run={
                "loss": lambda s: 2.3 * 0.98**s if s < 120 else 4.0,
                "learning_rate": lambda s: 2e-3 if s < 120 else 2.0,
            },
            facts={"optimizer": "Adam"},
            steps=200,
            **found("warning", 121, "dense/kernel"),
        ),
        _case(
            "restless weights later on",
            _kernels(0.2, 0.2),
            run={"loss": lambda s: 2.3 + 0.2 * (s % 3)},
            steps=200,
            **found("warning", 21, "dense/kernel"),
        ),
        _case(
            "the loss is too curved for such steps",
            _kernels(0.02, 0.02),
            run={
                "loss": lambda s: 2.3 + 0.2 * (s % 3),
                "learning_rate": lambda s: 0.8,
                "stability_margin": lambda s: 6.0 if s % 50 == 0 else None,
                "step_overshoot": lambda s: 1.7 if s % 10 == 0 else None,
            },
            facts={"optimizer": "SGD"},
            steps=200,
            **found("warning", 0),
        ),
    ),
)
