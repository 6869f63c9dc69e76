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
  `flat_path` if the curvature of the loss would allow steps a hundred times as long: the median of
  at least three `step_overshoot` is below `flat`, or each of the last three `stability_margin` is
  below `flat_margin`
- a path below `slow_path`, after the first epoch and 100 steps, if the loss, carried on as it
  went so far with two standard errors in favour, falls by less than `progress` until the end
- a learning rate that has fallen so far that steps like the first ones, shortened as the rate was,
  have a path below `path`: if it did so in the first half of the run, has been gone for half as
  long as it was there, and the loss is not below half of guessing; information if the loss has
  fallen by a fifth

A warning; an error if the learning rate is 0 from the start; only information where it is not known
which loss a model without knowledge has, because a model that is trained already moves little too.
Where gradients are small because the loss is, below `faint` before anything was learned, that is
named instead of the rate: no rate makes up for it.
Where `clip_rate` is over `clipped`, the limit of the clipping sets the length of the steps, and is
named as the cause instead of the learning rate.

Measured on digits, path over 1,000 steps and fall of the loss in 675: Adam 1e-6 0.005 and 2 %,
SGD 1e-5 0.002 and 1 %, Adam 1e-5 0.04 and 13 %, SGD 1e-4 0.02 and 6 %; Adam 1e-4, which learns,
0.4 and 60 %. Overshoot at Adam 1e-5: 0.0003; at SGD 1e-3, 0.003.

## Likely causes
- the learning rate
- a schedule that reaches its end long before the run does
- a clipping limit far below the usual norm of the gradient

## Fixes
Multiply the learning rate by 10 until the loss falls clearly; the largest rate that trains is
rarely more than ten times the best one. Give a schedule the length of the run. Clip at the norm
that nine of ten gradients do not reach.

## False alarms
Silent while the learning rate still rises (warm-up), in the tail of a schedule that lasts as long
as the run, where the loss is already far below that of guessing (a trained model),
where `step_overshoot` shows that longer steps would overshoot, and where no learning rate up to
`highest_rate` could do better, because the gradients are what is small. Frozen layers are not
looked at. Clipping at every step is common, and no fault while the kernels move. A warm-up that
keeps the rate the same for a whole epoch cannot be told from a rate that stays; it is not judged by
the loss.

## References
- Smith, Cyclical Learning Rates for Training Neural Networks, arXiv 1506.01186
- Godbole et al., Deep Learning Tuning Playbook, 2023
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import Rule, Sign
from tensorboard_gradhealth.rules._cases import Case, Measures, Rows, case, found, kernel, ripple
from tensorboard_gradhealth.rules._decayed import gone
from tensorboard_gradhealth.rules._faint import faint_sign, is_faint
from tensorboard_gradhealth.rules._loss import curve, guessing, planned_steps, untrained
from tensorboard_gradhealth.rules._pace import (
    SETTLED,
    USUAL_RATIO,
    clipping_advice,
    clipping_cause,
    has_fallen,
    is_clipped,
    knows,
    moving_ratio,
    raising_advice,
    steady_since,
)
from tensorboard_gradhealth.rules._probes import margins, overshoots
from tensorboard_gradhealth.rules._support import likely_first
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, percent
from tensorboard_gradhealth.types import NOT_MEASURED, Cause, Evidence


def check(view: View) -> Sign | None:
    """A sign while the kernels move too little to get anywhere before the run ends."""
    horizon = max(planned_steps(view), int(view.limits["horizon"]), view.record.step)
    if (decayed := gone(view, horizon)) is not None:
        return decayed
    ratio = moving_ratio(view)
    path = ratio * horizon
    if not path < max(view.limits["path"], view.limits["slow_path"]):
        return None
    since = steady_since(view, int(view.limits["first_judged"]))
    rate, clipped = view.scalar("learning_rate", "max"), is_clipped(view)
    if knows(view) or _overshoot(view) > view.limits["room"]:
        return None
    small = rate > 0 and rate * USUAL_RATIO > ratio * view.limits["highest_rate"]
    if small and not clipped:
        return faint_sign(view, since, path, horizon) if is_faint(view) else None
    surely = view.limits["flat_path" if _flatness(view) else "path"]
    if path < surely and not has_fallen(view):
        return _sign(view, since, path, horizon, surely, None)
    if not path < view.limits["slow_path"] or view.record.step - since < _patience(view):
        return None
    fall = _fall_until(view, since, horizon)
    if fall < view.limits["progress"]:
        return _sign(view, since, path, horizon, view.limits["slow_path"], fall)
    return None


def _overshoot(view: View) -> float:
    """Median overshoot of the last five probes; NaN if there are fewer than three."""
    rho = overshoots(view, 5, after=0)
    return float(np.median(rho)) if len(rho) >= 3 else math.nan


def _flatness(view: View) -> Evidence | None:
    """What shows that the loss is a straight line at the scale of these steps."""
    step, rho, flat = view.record.step, _overshoot(view), view.limits["flat"]
    if rho < flat:
        return Evidence("median overshoot", rho, flat, "", "step_overshoot", step)
    last, limit = margins(view, 3), view.limits["flat_margin"]
    if len(last) and (np.abs(last) < limit).all():
        label = "largest of the last three stability margins"
        return Evidence(label, float(last.max()), limit, "", "stability_margin", step)
    return None


def _patience(view: View) -> int:
    """Steps to wait for a trend of the loss: those of an epoch, for warm-up may go by epochs."""
    epoch = view.facts.get("steps")
    return max(SETTLED, epoch if isinstance(epoch, int) else 0)


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
    evidence = [
        Evidence(f"path of the kernels in {horizon} steps", path, limit, "", "update_ratio", step),
        Evidence("learning rate", rate, None, "", "learning_rate", step),
    ]
    if fall is not None:
        label = f"fall of the loss until step {horizon}, at best"
        evidence.append(Evidence(label, fall, view.limits["progress"], "", "loss", step))
    if (flat := _flatness(view)) is not None:
        evidence.append(flat)
    if clipped := is_clipped(view):
        share = float(np.mean(view.past("clip_rate", 20)))
        limit = view.limits["clipped"]
        evidence.append(Evidence("steps that are clipped", share, limit, "", "clip_rate", step))
    return Sign(
        severity="error" if rate == 0 else "warning" if guessing(view) else "info",
        title=_title(rate, path, horizon, clipped=clipped),
        onset=since,
        evidence=tuple(evidence),
        causes=_causes(view, rate, path / horizon),
        fixes=clipping_advice(view) if clipped else raising_advice(view, rate, path / horizon),
        harmless="A trained model is to change as little as possible, or the rate will rise later.",
        check="update_ratio of most kernels is between 1e-4 and 1e-2, and the loss falls.",
    )


def _title(rate: float, path: float, horizon: int, *, clipped: bool) -> str:
    if rate == 0:
        return "The learning rate is 0: nothing is learned"
    moves = f"{horizon} steps move kernels by {percent(path)}"
    if clipped:
        return f"Clipping is too strong: {moves}"
    return f"Learning rate {number(rate)} is too low: {moves}"


def _causes(view: View, rate: float, ratio: float) -> tuple[Cause, ...]:
    if is_clipped(view):
        return clipping_cause(view), Cause(f"the learning rate of {number(rate)} is too low")
    support = f"update_ratio: the kernels change by {number(ratio)} of their size per step"
    if (flat := _flatness(view)) is not None:
        support = f"{flat.signal}: at {number(flat.value)}, longer steps would be safe"
    return likely_first(
        Cause(f"the learning rate of {number(rate)} is too low", "likely", support),
        Cause("a schedule starts from, or falls to, almost nothing"),
    )


_ROWS: Rows = {"variable": (kernel("dense/kernel"), kernel("dense_1/kernel")), "class": ()}


def _moves(ratio: float) -> Measures:
    return {"update_ratio": lambda s: [ratio, 0.5 * ratio]}


_LABELS: Measures = {"label_counts": lambda s: {"count": [100, 100]}}
_GUESSES = 0.693
_BINARY = {"optimizer": "Adam", "loss": "binary_crossentropy"}


def _cosine(step: int, end: int) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * min(step / end, 1))


def _case(label: str, **given: Any) -> Case:
    """A run of two classes that come up equally often."""
    return case(label, **{"rows": _ROWS, "classes": _LABELS, "facts": _BINARY, **given})


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
        "flat_margin": 0.001,
        "clipped": 0.95,
        "room": 0.02,
        "faint": 1e-3,
    },
    explained_by=("output_loss_mismatch",),
    references=(
        "Smith 2017, Cyclical Learning Rates for Training Neural Networks (arXiv 1506.01186)",
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
    ),
    check=check,
    healthy=(
        _case(
            "Adam at 1e-3 on labels without signal",
            variable=_moves(0.005),
            run={"loss": lambda s: _GUESSES + ripple(s), "learning_rate": lambda s: 1e-3},
            steps=400,
        ),
        _case(
            "a trained model goes on with small steps",
            variable=_moves(1e-7),
            run={"loss": lambda s: 0.02 + 0.1 * abs(ripple(s)), "learning_rate": lambda s: 1e-6},
            steps=400,
        ),
        _case(
            "a long warm-up",
            variable={"update_ratio": lambda s: [1e-9 * (s + 1)] * 2},
            run={"loss": lambda s: _GUESSES + ripple(s), "learning_rate": lambda s: 1e-8 * (s + 1)},
            steps=400,
        ),
        _case(
            "clipping at every step, and it learns",
            variable=_moves(2e-4),
            run={
                "loss": lambda s: _GUESSES * 0.998**s + ripple(s),
                "learning_rate": lambda s: 1e-3,
                "clip_rate": lambda s: 1.0,
            },
            facts={**_BINARY, "clipping": {"clipnorm": 0.01}},
            steps=400,
        ),
        _case(
            "a schedule that ends with the run, on a hard task",
            variable={"update_ratio": lambda s: [0.01 * _cosine(s, 400)] * 2},
            run={
                "loss": lambda s: 0.6 + 0.09 * 0.99**s + ripple(s),
                "learning_rate": lambda s: 1e-3 * _cosine(s, 400),
            },
            facts={**_BINARY, "epochs": 10, "steps": 50},
            steps=500,
        ),
        _case(
            "a schedule that ends early, after it has learned",
            variable={"update_ratio": lambda s: [0.01 * _cosine(s, 100)] * 2},
            run={
                "loss": lambda s: 0.02 + _GUESSES * 0.95**s,
                "learning_rate": lambda s: 1e-3 * _cosine(s, 100),
            },
            facts={**_BINARY, "epochs": 10, "steps": 50},
            steps=500,
        ),
        _case(
            "units that died under a rate that halves each epoch",
            variable={"update_ratio": lambda s: [0.01 if s < 50 else 0.0] * 2},
            run={
                "loss": lambda s: _GUESSES + ripple(s),
                "learning_rate": lambda s: 1e-3 * 0.5 ** (s // 100),
            },
            steps=500,
        ),
        _case(
            "steps that loss scaling skips",
            variable={"update_ratio": lambda s: [NOT_MEASURED] * 2},
            run={"loss": lambda s: _GUESSES + ripple(s), "learning_rate": lambda s: 1e-3},
            facts={**_BINARY, "loss_scaled": True},
            steps=200,
        ),
        _case(
            "gradients are what is small",
            variable=_moves(1e-9),
            run={"loss": lambda s: _GUESSES + ripple(s), "learning_rate": lambda s: 0.1},
            facts={"optimizer": "SGD", "loss": "binary_crossentropy"},
            steps=400,
        ),
        _case(
            "slow, but it learns",
            variable=_moves(1e-4),
            run={
                "loss": lambda s: _GUESSES * 0.998**s + ripple(s),
                "learning_rate": lambda s: 1e-5,
            },
            steps=400,
        ),
        _case(
            "six steps",
            variable=_moves(1e-8),
            run={"loss": lambda s: _GUESSES, "learning_rate": lambda s: 1e-8},
            steps=6,
        ),
    ),
    sick=(
        _case(
            "a loss that is multiplied by a millionth",
            variable=_moves(5e-9),
            run={"loss": lambda s: 1e-6 * (_GUESSES + ripple(s)), "learning_rate": lambda s: 0.1},
            facts={"optimizer": "SGD", "loss": "my_loss", "epochs": 20, "steps": 45},
            classes=None,
            **found("warning", 0),
        ),
        _case(
            "Adam at 1e-7",
            variable=_moves(5e-7),
            run={"loss": lambda s: _GUESSES + ripple(s), "learning_rate": lambda s: 1e-7},
            facts={**_BINARY, "epochs": 20, "steps": 45},
            **found("warning", 0),
        ),
        _case(
            "too slow for the length of the run",
            variable=_moves(4e-5),
            run={
                "loss": lambda s: _GUESSES * (1 - 2e-5 * s) + 0.1 * ripple(s),
                "learning_rate": lambda s: 1e-5,
                "step_overshoot": lambda s: 0.0005 if s % 25 == 0 else None,
            },
            facts={**_BINARY, "epochs": 10, "steps": 90},
            steps=400,
            **found("warning", 0),
        ),
        _case(
            "it was set to 0",
            variable=_moves(0.0),
            run={"loss": lambda s: _GUESSES + ripple(s), "learning_rate": lambda s: 0.0},
            facts={**_BINARY, "optimizer": "SGD"},
            **found("error", 0),
        ),
        _case(
            "it decayed to nothing within the first epoch",
            variable={"update_ratio": lambda s: [0.02 * 0.1 ** (s / 5) if s < 30 else 0.0] * 2},
            run={
                "loss": lambda s: _GUESSES * (0.95 + 0.05 * 0.8**s) + 0.1 * ripple(s),
                "learning_rate": lambda s: 2e-3 * 0.1 ** (s / 5),
            },
            facts={**_BINARY, "epochs": 10, "steps": 25},
            steps=250,
            **found("warning", 17),
        ),
        _case(
            "every gradient is clipped to next to nothing",
            variable=_moves(2e-7),
            run={
                "loss": lambda s: _GUESSES + 0.1 * ripple(s),
                "learning_rate": lambda s: 0.1,
                "clip_rate": lambda s: 1.0,
                "gradient_global_norm": lambda s: 2.3,
            },
            facts={**_BINARY, "optimizer": "SGD", "clipping": {"clipnorm": 1e-5}},
            steps=120,
            **found("warning", 0),
        ),
        _case(
            "the curvature would allow steps a thousand times as long",
            variable=_moves(6e-5),
            run={
                "loss": lambda s: _GUESSES + 0.1 * ripple(s),
                "learning_rate": lambda s: 1e-4,
                "stability_margin": lambda s: 2e-4 if s % 15 == 0 else None,
            },
            facts={**_BINARY, "optimizer": "SGD"},
            **found("warning", 0),
        ),
    ),
)
