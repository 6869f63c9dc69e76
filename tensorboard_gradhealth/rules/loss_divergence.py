"""The loss rises far above its start, or loses all that it had learned, and stays there.

## Meaning
Training makes the model worse: it does so for many steps in a row, and is not coming back.

## Why it matters
A run that diverges seldom recovers, and what it ends with is worse than no training.

## How it is measured
On the loss of each batch, against the loss of an untrained model: the first one, or that of the
best constant prediction where it is larger and known. `scale` is what the loss fell at best, or
the size of the first loss where that is more, so that negative losses are judged too. After step
20, and only while the newer half of the time looked at is not lower than the older half:

- `warning` times the scale above the start for 50 steps: a warning; `error` times, for 20 steps:
  an error
- a best loss below `gain` of the start, of which `lost` is lost again for 50 steps: a warning

A loss of one's own that is below 0 and falls on, a hundred times as far as it began (or as 1), is a
warning too: a perfect model would reach some lowest value.

As losses of games between networks, or of rewards, rise without harm, it also takes a sign that
training itself is unstable, where it is not known what guessing gives: a kernel that changes by
more than `update` of its size per step, or nothing that changes any more.

## Likely causes
- the learning rate is too high, or was raised too far
- gradients that explode
- other data, or another loss, from some step on

## Fixes
Go back to weights from before, with a lower learning rate; clip the gradient.

## False alarms
Silent where several optimizers train against each other, and while the loss comes down: after a
large first step ("catapult"), a restart of the learning rate, a change of the data. Silence it
where the loss is not made to fall: `ignore={"loss_divergence": True}`.

## References
- Cohen et al., Adaptive Gradient Methods at the Edge of Stability, arXiv 2207.14484
- Lewkowycz et al., The large learning rate phase of deep learning, arXiv 2003.02218
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, kernel
from tensorboard_gradhealth.rules._loss import (
    Curve,
    curve,
    endless_since,
    first_loss,
    guessing,
    rate_jump,
    recent,
    several_optimizers,
    unsettled,
    untrained,
)
from tensorboard_gradhealth.rules._probes import beyond_stability, least_margin, overshoots
from tensorboard_gradhealth.rules._support import (
    input_scale_cause,
    learning_rate_cause,
    likely_first,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import lower_learning_rate, number, optimizer_class
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity

_LONG, _SHORT = 50, 20  # Steps for which it must hold.


@dataclasses.dataclass(frozen=True, slots=True)
class _Height:
    """Where the loss stands: how high, since when, and against which limit."""

    severity: Severity
    since: int
    title: str
    label: str
    value: float
    limit: float


def check(view: View) -> Sign | None:
    """A sign while the loss is far above its start, or back there, and does not fall."""
    if several_optimizers(view):
        raise NotEvaluated("several optimizers: a loss of one of them may rise without harm")
    if view.record.step <= _SHORT:
        raise NotEvaluated(f"judged after step {_SHORT}")
    if (since := endless_since(view)) is not None:
        return _endless(view, since)
    start = untrained(view)
    if view.scalar("loss") < view.limits["lost"] * start:
        return None
    best = _best(view)
    scale = max(start - best, abs(start))
    height = _far_above(view, start, scale) or _all_lost(view, start, best)
    if height is None or not (guessing(view) or unsettled(view, view.limits["update"])):
        return None
    return _sign(view, height, best)


def _endless(view: View, since: int) -> Sign:
    """A loss that falls for ever is the wrong one: nothing is learned by it."""
    level, start, step = view.scalar("loss"), first_loss(view), view.record.step
    return Sign(
        severity="warning",
        title=f"The loss falls without end: {number(level)}, from {number(start)}",
        onset=since,
        evidence=(
            Evidence("loss", level, -100 * max(abs(start), 1.0), "", "loss", step),
            Evidence("loss before the first step", start, None, "", "loss", 0),
        ),
        causes=(
            Cause("the loss has the wrong sign, so that training makes the model worse"),
            Cause("labels outside the range that the loss is made for"),
            Cause("nothing bounds the loss, and the scale of the outputs is all that grows"),
        ),
        fixes=(
            Fix("See whether a better prediction gives a smaller loss.", "print(loss(y, y))"),
            Fix(
                "Watch a metric beside it.", 'model.compile(optimizer, loss, metrics=["accuracy"])'
            ),
        ),
        harmless="The loss is the score of a critic, or a log-likelihood of densities.",
        check="The loss has a lowest value that a perfect model reaches.",
    )


def _best(view: View) -> float:
    """Lowest mean of three stretches in a row; NaN if there are fewer."""
    values = curve(view).values
    if len(values) < 3:
        return float("nan")
    return float(np.convolve(values, np.ones(3) / 3, mode="valid").min())


def _far_above(view: View, start: float, scale: float) -> _Height | None:
    """The loss over the limits, for as long as each of them takes."""
    severities: tuple[tuple[Severity, int], ...] = (("error", _SHORT), ("warning", _LONG))
    for severity, steps in severities:
        limit = start + view.limits[severity] * scale
        late = _risen(view, steps)
        if late and (lowest := float(late.values.min())) > limit:
            head = f"The loss has risen to {number(late.level())}, from {number(first_loss(view))}"
            since = int(late.first[0])
            return _Height(severity, since, head, "lowest loss of late", lowest, limit)
    return None


def _all_lost(view: View, start: float, best: float) -> _Height | None:
    """The loss where it began, although it was far lower before."""
    late = _risen(view, _LONG)
    if late is None or not (start > 0 and best < view.limits["gain"] * start):
        return None
    low = float(np.quantile(late.values, 0.25))
    limit = start - (1 - view.limits["lost"]) * (start - best)
    if not low > limit:
        return None
    head = f"The loss is back at {number(late.level())}, after {number(best)}"
    return _Height("warning", int(late.first[0]), head, "loss of late", low, limit)


def _risen(view: View, steps: int) -> Curve | None:
    """The last `steps` steps, six records at least; None if the loss falls there."""
    late = recent(view, steps, 6)
    older, newer = late.halves()
    return late if newer.level() >= 0.95 * older.level() else None


def _sign(view: View, height: _Height, best: float) -> Sign:
    step = view.record.step
    evidence = [
        Evidence(height.label, height.value, height.limit, "", "loss", step),
        Evidence("loss before the first step", first_loss(view), None, "", "loss", 0),
        Evidence("best loss so far", best, None, "", "loss", step),
    ]
    if view.has("gradient_global_norm"):
        norm = view.scalar("gradient_global_norm")
        evidence.append(Evidence("gradient norm", norm, None, "", "gradient_global_norm", step))
    return Sign(
        severity=height.severity,
        title=height.title,
        onset=max(height.since, rate_jump(view) or 0),  # what was before it was another rate's
        evidence=tuple(evidence),
        causes=_causes(view),
        fixes=_fixes(view),
        harmless="This loss is not made to fall: a game between networks, or rewards that grow.",
        check="The loss falls below its start within the first hundred steps, and stays there.",
    )


def _causes(view: View) -> tuple[Cause, ...]:
    rate = learning_rate_cause(view)
    rho, jump = overshoots(view, 5), rate_jump(view)
    if jump is not None:
        support = f"learning_rate: it more than doubled at step {jump}"
        rate = Cause("the learning rate was raised too far", "likely", support)
    elif len(rho) and np.median(rho) > 1 and rate.confidence != "likely":
        support = f"step_overshoot: {number(float(np.median(rho)))}, above 1 the loss rises"
        rate = Cause(rate.text, "likely", support)
    elif (margin := least_margin(view)) > 1 and rate.confidence != "likely":
        rate = Cause(rate.text, "likely", beyond_stability(margin))
    return likely_first(
        rate, input_scale_cause(view), Cause("other data, or another loss, from some step on")
    )


def _fixes(view: View) -> tuple[Fix, ...]:
    name = optimizer_class(view) or "Adam"
    return (
        lower_learning_rate(view, 0.1),
        Fix("Clip the gradient.", f"keras.optimizers.{name}(learning_rate, global_clipnorm=1.0)"),
        Fix(
            "Keep the best weights, to go back to.",
            'keras.callbacks.ModelCheckpoint("best.keras", monitor="loss", save_best_only=True)',
        ),
    )


_ROWS: Rows = {"variable": (kernel("dense/kernel"),)}
_CLASSES = {"loss": "sparse_categorical_crossentropy", "optimizer": "SGD"}
_LABELS: Measures = {"label_counts": lambda s: {"count": [50, 50, 50]}}
_CALM: Measures = {"update_ratio": lambda s: [0.003]}
_WILD: Measures = {"update_ratio": lambda s: [0.3]}


RULE = Rule(
    name="loss_divergence",
    code="GH602",
    group="loss",
    requires=("loss",),
    limits={"warning": 2, "error": 9, "gain": 0.5, "lost": 0.75, "update": 0.05},
    clear=20,
    explained_by=(
        "unscaled_inputs",
        "class_imbalance",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "unstable_step",
        "exploding_gradients",
        "gradient_spike",
    ),
    references=(
        "Cohen et al. 2022, Adaptive Gradient Methods at the Edge of Stability (arXiv 2207.14484)",
        "Lewkowycz et al. 2020, The large learning rate phase of deep learning (arXiv 2003.02218)",
    ),
    check=check,
    healthy=(
        case(
            "a log-likelihood that grows and settles",
            run={"loss": lambda s: 1.4 - 6 * (1 - 0.98**s)},
            facts={"optimizer": "Adam", "loss": "my_nll"},
            steps=400,
        ),
        case(
            "a catapult that comes back",
            rows=_ROWS,
            run={"loss": lambda s: 1.1 + 300 * 0.9**s},
            variable=_WILD,
            classes=_LABELS,
            facts=_CLASSES,
            steps=200,
        ),
        case(
            "a restart of the learning rate",
            rows=_ROWS,
            run={"loss": lambda s: 0.1 + (0.9 * 0.97 ** (s % 200))},
            variable=_CALM,
            classes=_LABELS,
            facts=_CLASSES,
            steps=600,
        ),
        case(
            "a negative loss that falls without end",
            rows=_ROWS,
            run={"loss": lambda s: 1.0 - 0.01 * s},
            variable=_CALM,
            steps=800,
        ),
        case(
            "a loss that grows with the rewards",
            rows=_ROWS,
            run={"loss": lambda s: 0.02 + 1e-3 * s},
            variable=_CALM,
            facts={"optimizer": "Adam"},
            steps=800,
        ),
        case(
            "a generator against a discriminator",
            rows=_ROWS,
            run={"loss": lambda s: 0.7 + 0.01 * s},
            variable=_WILD,
            facts={"optimizer": "Adam, Adam"},
            steps=800,
        ),
        case(
            "the noise of a network that has learned",
            rows=_ROWS,
            run={"loss": lambda s: max(1.1 * 0.95**s, 1e-5 * (1 + 50 * (s % 7 == 0)))},
            variable=_CALM,
            classes=_LABELS,
            facts=_CLASSES,
            steps=600,
        ),
        case(
            "other data, which is learned too",
            rows=_ROWS,
            run={"loss": lambda s: 1.2 * 0.99 ** (s if s < 300 else s - 300)},
            variable=_CALM,
            classes=_LABELS,
            facts=_CLASSES,
            steps=600,
        ),
    ),
    sick=(
        case(
            "the sign of a cross-entropy is wrong",
            run={"loss": lambda s: -2.3 - 0.1 * s**2},
            facts={"optimizer": "Adam", "loss": "my_loss"},
            steps=200,
            severity="warning",
            onset=15,
        ),
        case(
            "it rises and rises",
            rows=_ROWS,
            run={"loss": lambda s: 1.1 * 1.05**s, "learning_rate": lambda s: 0.5},
            variable=_WILD,
            classes=_LABELS,
            facts=_CLASSES,
            steps=120,
            severity="error",
            onset=48,
        ),
        case(
            "beyond the limit of the optimizer, it rises",
            rows=_ROWS,
            run={
                "loss": lambda s: 1.1 * 1.05**s,
                "learning_rate": lambda s: 0.5,
                "stability_margin": lambda s: 1.8 if s % 10 == 0 else None,
            },
            variable=_WILD,
            classes=_LABELS,
            facts=_CLASSES,
            steps=120,
            severity="error",
            onset=48,
        ),
        case(
            "all is lost after the learning rate was raised",
            rows=_ROWS,
            run={
                "loss": lambda s: 1.1 * 0.98**s if s < 300 else 1.12,
                "learning_rate": lambda s: 0.1 if s < 300 else 5.0,
            },
            variable=_CALM,
            classes=_LABELS,
            facts=_CLASSES,
            steps=600,
            severity="warning",
            onset=301,
        ),
        case(
            "a custom loss, below zero at first",
            rows=_ROWS,
            run={"loss": lambda s: -2.0 + 0.01 * s if s < 100 else 0.1 * s - 11},
            variable=_WILD,
            steps=400,
            severity="error",
            onset=131,
        ),
    ),
)
