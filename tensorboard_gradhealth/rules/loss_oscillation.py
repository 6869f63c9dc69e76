"""The loss swings up and down and gains nothing.

## Meaning
From epoch to epoch, the mean loss goes up and down by a good part of what there is to learn, again
and again, and does not get lower.

## Why it matters
Each epoch undoes the one before: the run may go on for ever without getting better, and where it
ends depends on when it is stopped.

## How it is measured
On the training loss of the last `epochs` epochs, or, in loops without epochs, on as many stretches
of equal length. A swing is a move between two turning points of at least `swing` of the loss of an
untrained model and a fifth of the present level. There must be `turns` turning points, and the best
of the newer half must not be lower than the best of the older half by more than a swing.

The batches differ, so single losses always go up and down: a swing must also be three times as
large as the spread of the batches explains for the mean over that many.

A warning if the swings are over twice `swing`, else information. It is information, too, where the
loss goes from one side of 0 to the other, for then it is no distance from an aim, and where it is
not known what guessing gives, unless the steps are too long: a kernel changes by more than `update`
of its size per step, or steps raise the loss of their own batch (`step_overshoot` over 1).

## Likely causes
- the learning rate is too high: steps jump from one side of a valley to the other
- too much momentum
- batches so small that each leads elsewhere

## Fixes
Lower the learning rate or let it decay; larger batches; less momentum.

## False alarms
Silent where the learning rate itself goes up and down, and where the swings are small beside the
loss of an untrained model, as in networks that have converged. The loss of a critic, of a policy,
or of targets that a network sets for itself, goes up and down while what it is for gets better.

## References
- Bottou et al., Optimization Methods for Large-Scale Machine Learning, arXiv 1606.04838
- Zhang et al., AUTOTRAINER, ICSE 2021
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measure, Rows, case, kernel
from tensorboard_gradhealth.rules._loss import (
    Doubles,
    guessing,
    several_optimizers,
    unsettled,
    untrained,
)
from tensorboard_gradhealth.rules._probes import overshoots
from tensorboard_gradhealth.rules._support import learning_rate_cause, likely_first
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import lower_learning_rate, number, percent
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row

_SHORTEST = 10  # Steps in a stretch: fewer batches say little of the mean.


@dataclasses.dataclass(frozen=True, slots=True)
class _Means:
    """Mean losses of equal stretches, oldest first, and where the first begins."""

    values: Doubles
    noise: float  # what the spread of the batches explains, as a standard deviation
    first_step: int
    of: str


def check(view: View) -> Sign | None:
    """A sign while the mean loss swings without getting lower."""
    if several_optimizers(view):
        raise NotEvaluated("several optimizers: the loss of one of them goes up and down")
    if view.has("epoch_metrics") and "epoch_metrics" not in view.record.signals:
        raise NotEvaluated("judged at the end of each epoch")
    means, level = _means(view), untrained(view)
    if _rate_swings(view):
        raise NotEvaluated("the learning rate itself goes up and down")
    least = max(
        view.limits["swing"] * abs(level),
        0.2 * abs(float(np.median(means.values))),
        3 * means.noise,
    )
    turns = _turning_points(means.values, least)
    half = len(means.values) // 2
    gained = float(means.values[:half].min() - means.values[half:].min())
    if len(turns) < view.limits["turns"] or not gained < least:
        return None
    return _sign(view, means, turns, level, gained)


def _means(view: View) -> _Means:
    count = int(view.limits["epochs"])
    names = [row.name for row in view.rows("epoch_metrics")] if view.has("epoch_metrics") else []
    if "loss" in names:
        values = view.past("epoch_metrics", count)[:, names.index("loss")]
        starts, of = view.past_steps("epoch_metrics", count)[:, 0], "epochs"
    else:
        size = len(view.past("loss")) // count
        values = view.past("loss", size * count)[:, 0].reshape(-1, max(size, 1)).mean(axis=1)
        starts, of = view.past_steps("loss", size * count)[:: max(size, 1), 0], "stretches"
    lengths = np.diff(starts)
    if len(values) < count or not np.isfinite(values).all() or lengths.max() > 2 * lengths.min():
        raise NotEvaluated(f"needs {count} epochs, or stretches of equal length, of finite loss")
    length = float(np.median(lengths))
    if of == "stretches":
        if length < _SHORTEST:
            raise NotEvaluated(f"needs epochs, or {count} stretches of {_SHORTEST} steps")
        of += f" of {length:.0f} steps"
    return _Means(values.astype(np.float64), _noise(view, length), int(starts[0]), of)


def _noise(view: View, length: float) -> float:
    """Standard deviation of a mean over `length` batches, from the spread of single ones."""
    if length <= 1:
        return 0.0  # an epoch of one batch is the whole data
    steps = view.past_steps("loss")
    window = steps[:, 1] - steps[:, 0] + 1
    wide = window > 1
    if wide.any():
        spread = view.past("loss", field="max")[wide, 0] - view.past("loss", field="min")[wide, 0]
        # The range of n normal values is about 1.6 sqrt(2 ln n) standard deviations.
        deviations = spread / (1.6 * np.sqrt(2 * np.log(window[wide])))
    else:
        deviations = np.abs(np.diff(view.past("loss")[:, 0])) / 0.954
    return float(np.median(deviations)) / math.sqrt(length)


def _rate_swings(view: View) -> bool:
    if not view.has("learning_rate"):
        return False
    rate = view.past("learning_rate")[:, 0]
    return bool(((rate[1:] > 1.2 * rate[:-1]) & (rate[:-1] > 0)).any())


def _turning_points(values: Doubles, least: float) -> list[float]:
    """Values at which the course turns, where moves smaller than `least` do not count."""
    turns: list[float] = []
    farthest, direction = float(values[0]), 0.0
    for value in map(float, values[1:]):
        move = value - farthest
        if direction and move * direction >= 0:
            farthest = value
        elif abs(move) >= least:
            turns += [farthest] if direction else []
            farthest, direction = value, math.copysign(1.0, move)
    return turns


def _sign(view: View, means: _Means, turns: list[float], level: float, gained: float) -> Sign:
    limits, step = view.limits, view.record.step
    swing = float(np.median(np.abs(np.diff(turns))))
    share = swing / abs(level) if level else math.inf
    low, high = float(means.values.min()), float(means.values.max())
    judged = not low < 0 < high and (bool(guessing(view)) or _steps_are_long(view))
    return Sign(
        severity="warning" if share > 2 * limits["swing"] and judged else "info",
        title=f"The loss swings between {number(low)} and {number(high)} and gains nothing",
        onset=means.first_step,
        evidence=(
            Evidence("swing / loss of an untrained model", share, limits["swing"], "", "", step),
            Evidence(
                f"turns in {len(means.values)} {means.of}",
                len(turns),
                limits["turns"],
                "",
                "",
                step,
            ),
            Evidence("gain of the newer half", gained, swing, "", "", step),
        ),
        causes=_causes(view),
        fixes=(
            lower_learning_rate(view, 0.1),
            Fix(
                "Lower it whenever the loss stands still.",
                'keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.3, patience=3)',
            ),
            Fix("Use larger batches.", "model.fit(x, y, batch_size=256)"),
        ),
        harmless="The schedule or the data go in cycles on purpose."
        if judged
        else "The loss is that of a critic or a policy, or its targets move: it shows no progress.",
        check=f"The epochs differ by less than {percent(limits['swing'])} of the untrained loss.",
    )


def _steps_are_long(view: View) -> bool:
    rho = overshoots(view, 5)
    return unsettled(view, view.limits["update"]) or bool(len(rho) and np.median(rho) > 1)


def _causes(view: View) -> tuple[Cause, ...]:
    rate = learning_rate_cause(view)
    rho = overshoots(view, 5)
    if rate.confidence != "likely" and len(rho) and np.median(rho) > 1:
        support = f"step_overshoot: {number(float(np.median(rho)))}, above 1 the loss rises"
        rate = Cause(rate.text, "likely", support)
    return likely_first(
        rate,
        Cause("too much momentum for that learning rate"),
        Cause("batches so small that each leads elsewhere"),
    )


_EPOCH = 20
_ROWS: Rows = {"metric": (Row("loss"),)}


def _each_epoch(value: Measure) -> Measure:
    """At the last step of each epoch the value for it, else None."""
    return lambda s: [value(s // _EPOCH)] if s % _EPOCH == _EPOCH - 1 else None


def _batches(level: float) -> Measure:
    """Losses of single batches, which go up and down by a third."""
    return lambda s: level * (1 + 0.35 * math.sin(2.4 * s))


RULE = Rule(
    name="loss_oscillation",
    code="GH603",
    group="loss",
    requires=("loss",),
    limits={"swing": 0.05, "turns": 5, "epochs": 12, "update": 0.05},
    explained_by=(
        "unscaled_inputs",
        "poor_initialization",
        "learning_rate_too_high",
        "unstable_step",
        "exploding_gradients",
        "noise_dominated",
    ),
    references=(
        "Bottou et al. 2018, Optimization Methods for Large-Scale Machine Learning "
        "(arXiv 1606.04838)",
        "Zhang et al. 2021, AUTOTRAINER (ICSE)",
    ),
    check=check,
    healthy=(
        case(
            "single batches go up and down",
            rows=_ROWS,
            run={"loss": _batches(2.0)},
            metric={"epoch_metrics": _each_epoch(lambda e: 2.0 + 0.03 * (-1) ** e)},
            steps=600,
        ),
        case(
            "the same in a loop without epochs",
            run={"loss": lambda s: 1 + 0.9 * math.sin(37.7 * s * s)},
            steps=900,
        ),
        case(
            "converged: a tenth of almost nothing",
            rows=_ROWS,
            run={"loss": lambda s: 2.3 * 0.97**s + 1e-3},
            metric={"epoch_metrics": _each_epoch(lambda e: 1e-3 * (1 + 0.5 * (-1) ** e))},
            steps=600,
        ),
        case(
            "a cyclic learning rate",
            rows=_ROWS,
            run={
                "loss": _batches(1.0),
                "learning_rate": lambda s: 0.01 + 0.1 * (s // _EPOCH % 2),
            },
            metric={"epoch_metrics": _each_epoch(lambda e: 1.0 + 0.3 * (-1) ** e)},
            steps=600,
        ),
        case(
            "a critic, whose loss is a difference",
            run={"loss": lambda s: 3 * math.sin(s / 16) + 0.1 * math.sin(2.4 * s) - 0.5},
            steps=800,
        ),
        case(
            "an agent that sets its own targets, by steps of moderate length",
            rows={"variable": (kernel("dense/kernel"),)},
            run={"loss": lambda s: 0.8 + 0.7 * math.sin(s / 16) + 0.02 * math.sin(2.4 * s)},
            variable={"update_ratio": lambda s: 0.006},
            steps=800,
        ),
        case(
            "up and down, and lower each time",
            rows=_ROWS,
            run={"loss": lambda s: 2.3 * 0.998**s},
            metric={"epoch_metrics": _each_epoch(lambda e: 2.3 - 0.08 * e + 0.3 * (-1) ** e)},
            steps=560,
        ),
    ),
    sick=(
        case(
            "each epoch undoes the one before",
            rows=_ROWS,
            run={
                "loss": lambda s: 1.3 + 0.3 * (-1) ** (s // _EPOCH),
                "learning_rate": lambda s: 0.9,
                "step_overshoot": lambda s: 1.3 if s % 25 == 0 else None,
            },
            metric={"epoch_metrics": _each_epoch(lambda e: 1.3 + 0.3 * (-1) ** e)},
            facts={"optimizer": "SGD"},
            steps=600,
            severity="warning",
            onset=19,
        ),
        case(
            "a slow swing in a loop without epochs",
            rows={"variable": (kernel("dense/kernel"),)},
            variable={"update_ratio": lambda s: 0.1},
            run={
                "loss": lambda s: 1.3 + 0.5 * math.sin(s / 16) + 0.02 * math.sin(2.4 * s),
                "learning_rate": lambda s: 0.9,
            },
            facts={"optimizer": "SGD"},
            steps=800,
            severity="warning",
            onset=50,
        ),
    ),
)
