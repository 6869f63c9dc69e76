"""The weights hardly move, and at this pace they will not get anywhere.

## Meaning
Each step changes the kernels by so little of their size that even all steps of the run together
cannot change them noticeably, and the loss is about where it began.

## Why it matters
The run looks calm and costs as much as any other, but it is the initial network that comes out.

## How it is measured
`update_ratio` = norm of the real change of a kernel / norm of the kernel, its median over the
recent records; of all kernels, the ratio that 80 % do not exceed. Times the length of the run
(epochs x steps where Keras tells them, else `horizon` steps) it is the path: the share of their
size that the kernels can move at most. Judged from step `first_judged` on:

- a path below `path`, while the loss has not fallen by a fifth: nothing can come of it; or below
  `flat_path` if the median of at least three `step_overshoot` is below `flat` too: the steps are a
  hundredth of what the curvature of the loss would allow
- a path below `slow_path`, after the first epoch and 100 steps, if the loss, carried on as it
  went so far with two standard errors in favour, falls by less than `progress` until the end

A warning; an error if the learning rate is 0; only information where it is not known which loss
a model without knowledge has, because a model that is trained already moves little too.

Measured on digits, path over 1,000 steps and fall of the loss in 675: Adam 1e-6 0.005 and 2 %,
SGD 1e-5 0.002 and 1 %, Adam 1e-5 0.04 and 13 %, SGD 1e-4 0.02 and 6 %; Adam 1e-4, which learns,
0.4 and 60 %. Overshoot at Adam 1e-5: 0.0003; at SGD 1e-3, 0.003.

## Likely causes
- the learning rate

## Fixes
Multiply the learning rate by 10 until the loss falls clearly; the largest rate that trains is
rarely more than ten times the best one.

## False alarms
Silent while the learning rate still rises (warm-up), once it has fallen below half of its highest
(the tail of a schedule), where the loss is already far below that of guessing (a trained model),
where `step_overshoot` shows that longer steps would overshoot, and where no learning rate up to
`highest_rate` could do better, because the gradients are what is small. Frozen layers are not
looked at. A warm-up that keeps the rate the same for a whole epoch cannot be told from a rate
that stays; it is not judged by the loss.

## References
- Smith, Cyclical Learning Rates for Training Neural Networks, arXiv 1506.01186
- Godbole et al., Deep Learning Tuning Playbook, 2023
"""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, kernel
from tensorboard_gradhealth.rules._loss import (
    curve,
    guessing,
    overshoots,
    planned_steps,
    recent,
    start_level,
    untrained,
)
from tensorboard_gradhealth.rules._support import median_loss
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, optimizer_class, percent
from tensorboard_gradhealth.types import Cause, Evidence, Fix

_SETTLED = 100  # Steps after which a learning rate that rose counts as the one to judge.
_USUAL_RATIO = 1e-3  # Where the advised rate should lead.
_USUAL_RATE = {"SGD": 0.1, "Adagrad": 0.1, "Adadelta": 1.0, "Ftrl": 0.1}
_USUAL_RATE_OF_OTHERS = 1e-3


def check(view: View) -> Sign | None:
    """A sign while the kernels move too little to get anywhere before the run ends."""
    ratio = _ratio(view)
    horizon = max(planned_steps(view), int(view.limits["horizon"]), view.record.step)
    path = ratio * horizon
    if not path < max(view.limits["path"], view.limits["slow_path"]):
        return None
    since = _steady_since(view)
    rate = view.scalar("learning_rate", "max")
    rho = _overshoot(view)
    if _knows(view) or rho > view.limits["room"]:
        return None
    if rate > 0 and rate * _USUAL_RATIO > ratio * view.limits["highest_rate"]:
        return None
    surely = view.limits["flat_path" if rho < view.limits["flat"] else "path"]
    if path < surely and not _has_fallen(view):
        return _sign(view, since, path, horizon, surely, None)
    if not path < view.limits["slow_path"] or view.record.step - since < _patience(view):
        return None
    fall = _fall_until(view, since, horizon)
    if fall < view.limits["progress"]:
        return _sign(view, since, path, horizon, view.limits["slow_path"], fall)
    return None


def _steady_since(view: View) -> int:
    """First step of the stretch up to now in which the learning rate did not rise.

    Raises:
      NotEvaluated: It rises, has risen only lately, has fallen, or it is too early.
    """
    rate, now = curve(view, "learning_rate"), view.record.step
    latest = rate.values[-1]
    if latest < 0.5 * rate.values.max():
        raise NotEvaluated("the learning rate has fallen since the start")
    begin = float(rate.first[0])
    earlier = max(begin, min(now - _SETTLED, begin + 0.8 * (now - begin)))
    if latest > 1.02 * rate.values[np.flatnonzero(rate.first <= earlier)[-1]]:
        raise NotEvaluated("the learning rate still rises")
    lower = np.flatnonzero(rate.values < 0.9 * latest)
    since = int(rate.last[lower[-1]]) + 1 if len(lower) else int(begin)
    wait = _SETTLED if len(lower) else view.limits["first_judged"]
    if now - since < wait:
        raise NotEvaluated(f"judged {wait:.0f} steps after the learning rate has settled")
    return since


def _ratio(view: View) -> float:
    """Update ratio that 80 % of the kernels do not exceed; NaN if there are none."""
    kernels = view.where("update_ratio", "kernel") & (view.sizes("update_ratio") >= 16)
    ratio = view.past("update_ratio", 20)[:, kernels].astype(np.float64)
    if not ratio.size or not np.isfinite(ratio).all(axis=0).any():
        return math.nan
    median = np.median(ratio, axis=0)
    median = np.sort(median[np.isfinite(median)])
    return float(median[math.ceil(0.8 * len(median)) - 1])


def _knows(view: View) -> bool:
    """Whether the loss is far below that of guessing: a trained model moves little."""
    guess = guessing(view)
    return guess is not None and median_loss(view) < 0.5 * guess.loss


def _has_fallen(view: View) -> bool:
    """Whether the loss of 20 steps is clearly below that of the first 20."""
    return recent(view, 20, 5).level() < 0.8 * start_level(view)


def _overshoot(view: View) -> float:
    """Median overshoot of the last five probes; NaN if there are fewer than three."""
    rho = overshoots(view, 5, after=0)
    return float(np.median(rho)) if len(rho) >= 3 else math.nan


def _patience(view: View) -> int:
    """Steps to wait for a trend of the loss: those of an epoch, for warm-up may go by epochs."""
    epoch = view.facts.get("steps")
    return max(_SETTLED, epoch if isinstance(epoch, int) else 0)


def _fall_until(view: View, since: int, horizon: int) -> float:
    """Share of the untrained loss that can have been lost by step `horizon`; NaN if unknown."""
    loss = curve(view).since(since)
    slope, error = loss.trend()
    now, start = loss.halves()[1].level(), untrained(view)
    further = min(slope - 2 * error, 0.0) * (horizon - view.record.step)
    return (start - now - further) / abs(start) if start else math.nan


def _sign(
    view: View, since: int, path: float, horizon: int, limit: float, fall: float | None
) -> Sign:
    step, rate = view.record.step, view.scalar("learning_rate", "max")
    known = guessing(view) is not None
    evidence = [
        Evidence(f"path of the kernels in {horizon} steps", path, limit, "", "update_ratio", step),
        Evidence("learning rate", rate, None, "", "learning_rate", step),
    ]
    if fall is not None:
        label = f"fall of the loss until step {horizon}, at best"
        evidence.append(Evidence(label, fall, view.limits["progress"], "", "loss", step))
    rho, flat = _overshoot(view), view.limits["flat"]
    if rho < flat:
        evidence.append(Evidence("median overshoot", rho, flat, "", "step_overshoot", step))
    return Sign(
        severity="error" if rate == 0 else "warning" if known else "info",
        title=_title(rate, path, horizon),
        onset=since,
        evidence=tuple(evidence),
        causes=_causes(view, rate, path / horizon),
        fixes=_fixes(view, rate, path / horizon),
        harmless="A trained model is to change as little as possible, or the rate will rise later.",
        check="update_ratio of most kernels is between 1e-4 and 1e-2, and the loss falls.",
    )


def _title(rate: float, path: float, horizon: int) -> str:
    if rate == 0:
        return "The learning rate is 0: nothing is learned"
    moves = f"{horizon} steps move kernels by {percent(path)}"
    return f"Learning rate {number(rate)} is too low: {moves}"


def _causes(view: View, rate: float, ratio: float) -> tuple[Cause, ...]:
    support = f"update_ratio: the kernels change by {number(ratio)} of their size per step"
    rho = _overshoot(view)
    if rho < view.limits["flat"]:
        support = f"step_overshoot: {number(rho)}, where 0.5 is the best step along the line"
    return (
        Cause(f"the learning rate of {number(rate)} is too low", "likely", support),
        Cause("a schedule starts from, or falls to, almost nothing"),
    )


def _fixes(view: View, rate: float, ratio: float) -> tuple[Fix, ...]:
    name = optimizer_class(view)
    usual = _USUAL_RATE.get(name, _USUAL_RATE_OF_OTHERS)
    wanted = rate * _USUAL_RATIO / ratio if ratio > 0 and rate > 0 else usual
    higher = min(10.0 ** round(math.log10(wanted)), max(usual, 10 * rate))
    code = f"optimizer.learning_rate = {higher:.3g}"
    if name:
        code = f"optimizer = keras.optimizers.{name}(learning_rate={higher:.3g})"
    return (
        Fix(f"Raise the learning rate from {number(rate)} to about {higher:.3g}.", code),
        Fix("If that is too much at the start, let it rise over the first steps (warm-up)."),
    )


_ROWS: Rows = {
    "variable": (kernel("dense/kernel"), kernel("dense_1/kernel")),
    "class": (),
}


def _moves(ratio: float) -> Measures:
    return {"update_ratio": lambda s: [ratio, 0.5 * ratio]}


def _labels(s: int) -> dict[str, list[int]]:
    return {"count": [100, 100]}


_GUESSES = 0.693
_BINARY = {"optimizer": "Adam", "loss": "binary_crossentropy"}


def _noise(step: int) -> float:
    return 0.02 * math.sin(2.4 * step)


RULE = Rule(
    name="learning_rate_too_low",
    code="GH302",
    group="step",
    requires=("update_ratio", "learning_rate", "loss"),
    limits={
        "path": 0.01,
        "flat_path": 0.1,
        "slow_path": 0.2,
        "progress": 0.2,
        "horizon": 1000,
        "first_judged": 40,
        "highest_rate": 1.0,
        "flat": 0.002,
        "room": 0.02,
    },
    references=(
        "Smith 2017, Cyclical Learning Rates for Training Neural Networks (arXiv 1506.01186)",
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
    ),
    check=check,
    healthy=(
        case(
            "Adam at 1e-3 on labels without signal",
            rows=_ROWS,
            variable=_moves(0.005),
            run={"loss": lambda s: _GUESSES + _noise(s), "learning_rate": lambda s: 1e-3},
            classes={"label_counts": _labels},
            facts=_BINARY,
            steps=400,
        ),
        case(
            "a trained model goes on with small steps",
            rows=_ROWS,
            variable=_moves(1e-7),
            run={"loss": lambda s: 0.02 + 0.1 * abs(_noise(s)), "learning_rate": lambda s: 1e-6},
            classes={"label_counts": _labels},
            facts=_BINARY,
            steps=400,
        ),
        case(
            "a long warm-up",
            rows=_ROWS,
            variable={"update_ratio": lambda s: [1e-9 * (s + 1)] * 2},
            run={
                "loss": lambda s: _GUESSES + _noise(s),
                "learning_rate": lambda s: 1e-8 * (s + 1),
            },
            classes={"label_counts": _labels},
            facts=_BINARY,
            steps=400,
        ),
        case(
            "the late tail of a cosine schedule",
            rows=_ROWS,
            variable={"update_ratio": lambda s: [5e-3 if s < 200 else 1e-8] * 2},
            run={
                "loss": lambda s: 0.5 + _noise(s),
                "learning_rate": lambda s: 1e-3 if s < 200 else 1e-8,
            },
            classes={"label_counts": _labels},
            facts=_BINARY,
            steps=600,
        ),
        case(
            "gradients are what is small",
            rows=_ROWS,
            variable=_moves(1e-9),
            run={"loss": lambda s: _GUESSES + _noise(s), "learning_rate": lambda s: 0.1},
            classes={"label_counts": _labels},
            facts={"optimizer": "SGD", "loss": "binary_crossentropy"},
            steps=400,
        ),
        case(
            "slow, but it learns",
            rows=_ROWS,
            variable=_moves(1e-4),
            run={
                "loss": lambda s: _GUESSES * 0.998**s + _noise(s),
                "learning_rate": lambda s: 1e-5,
            },
            classes={"label_counts": _labels},
            facts=_BINARY,
            steps=400,
        ),
        case(
            "six steps",
            rows=_ROWS,
            variable=_moves(1e-8),
            run={"loss": lambda s: _GUESSES, "learning_rate": lambda s: 1e-8},
            classes={"label_counts": _labels},
            facts=_BINARY,
            steps=6,
        ),
    ),
    sick=(
        case(
            "Adam at 1e-7",
            rows=_ROWS,
            variable=_moves(5e-7),
            run={"loss": lambda s: _GUESSES + _noise(s), "learning_rate": lambda s: 1e-7},
            classes={"label_counts": _labels},
            facts={**_BINARY, "epochs": 20, "steps": 45},
            severity="warning",
            onset=0,
        ),
        case(
            "too slow for the length of the run",
            rows=_ROWS,
            variable=_moves(4e-5),
            run={
                "loss": lambda s: _GUESSES * (1 - 2e-5 * s) + 0.1 * _noise(s),
                "learning_rate": lambda s: 1e-5,
                "step_overshoot": lambda s: 0.0005 if s % 25 == 0 else None,
            },
            classes={"label_counts": _labels},
            facts={**_BINARY, "epochs": 10, "steps": 90},
            steps=400,
            severity="warning",
            onset=0,
        ),
        case(
            "it was set to 0",
            rows=_ROWS,
            variable=_moves(0.0),
            run={"loss": lambda s: _GUESSES + _noise(s), "learning_rate": lambda s: 0.0},
            classes={"label_counts": _labels},
            facts={**_BINARY, "optimizer": "SGD"},
            severity="error",
            onset=0,
        ),
    ),
)
