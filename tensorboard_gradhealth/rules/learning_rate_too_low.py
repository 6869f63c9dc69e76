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

import numpy as np

from tensorboard_gradhealth.rules._base import Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, kernel
from tensorboard_gradhealth.rules._loss import (
    curve,
    guessing,
    planned_steps,
    recent,
    start_level,
    untrained,
)
from tensorboard_gradhealth.rules._pace import (
    SETTLED,
    clipping_advice,
    clipping_cause,
    moving_ratio,
    rate_gone_since,
    ratio_per_rate,
    steady_since,
)
from tensorboard_gradhealth.rules._probes import margins, overshoots
from tensorboard_gradhealth.rules._support import likely_first, median_loss
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, optimizer_class, percent
from tensorboard_gradhealth.types import NOT_MEASURED, Cause, Evidence, Fix

_USUAL_RATIO = 1e-3  # Where the advised rate should lead.
_USUAL_RATE = {"SGD": 0.1, "Adagrad": 0.1, "Adadelta": 1.0, "Ftrl": 0.1}
_USUAL_RATE_OF_OTHERS = 1e-3


def check(view: View) -> Sign | None:
    """A sign while the kernels move too little to get anywhere before the run ends."""
    horizon = max(planned_steps(view), int(view.limits["horizon"]), view.record.step)
    if (gone := _gone(view, horizon)) is not None:
        return _gone_sign(view, *gone)
    ratio = moving_ratio(view)
    path = ratio * horizon
    if not path < max(view.limits["path"], view.limits["slow_path"]):
        return None
    since = steady_since(view, int(view.limits["first_judged"]))
    rate, clipped = view.scalar("learning_rate", "max"), _is_clipped(view)
    if _knows(view) or _overshoot(view) > view.limits["room"]:
        return None
    small = rate > 0 and rate * _USUAL_RATIO > ratio * view.limits["highest_rate"]
    if small and not clipped:
        return _faint_sign(view, since, path, horizon) if _is_faint(view) else None
    surely = view.limits["flat_path" if _flatness(view) else "path"]
    if path < surely and not _has_fallen(view):
        return _sign(view, since, path, horizon, surely, None)
    if not path < view.limits["slow_path"] or view.record.step - since < _patience(view):
        return None
    fall = _fall_until(view, since, horizon)
    if fall < view.limits["progress"]:
        return _sign(view, since, path, horizon, view.limits["slow_path"], fall)
    return None


def _is_faint(view: View) -> bool:
    """Whether gradients are small because the loss is, before anything was learned."""
    start = start_level(view)
    unmoved = recent(view, 20, 5).level() > 0.95 * start
    return 0 < start < view.limits["faint"] and unmoved and not view.facts.get("loss_scaled")


def _faint_sign(view: View, since: int, path: float, horizon: int) -> Sign:
    start, step, limit = start_level(view), view.record.step, view.limits["faint"]
    label = f"path of the kernels in {horizon} steps"
    return Sign(
        severity="warning",
        title=f"The loss is too small to learn from: {horizon} steps move kernels by "
        f"{percent(path)}",
        onset=since,
        evidence=(
            Evidence("loss of the first 20 steps", start, limit, "", "loss", step),
            Evidence(label, path, view.limits["path"], "", "update_ratio", step),
        ),
        causes=(
            Cause(
                "the loss is multiplied by a tiny factor, or divided by the batch size twice",
                "likely",
                f"loss: {number(start)} at the start, and the gradients are as small",
            ),
            Cause("the targets are tiny, and nothing scales them"),
        ),
        fixes=(
            Fix("Take the mean over the samples, without another factor.", "tf.reduce_mean(loss)"),
            Fix(
                "Or scale the targets to a standard deviation of 1.",
                "y_train = (y_train - y_train.mean(0)) / y_train.std(0)",
            ),
        ),
        harmless="The loss is as low as it can get: a trained model moves little.",
        check="The first loss is near 1, and update_ratio of most kernels above 1e-4.",
    )


def _gone(view: View, horizon: int) -> tuple[int, float] | None:
    """Since when the rate is next to nothing, too early in the run, and below which rate it is."""
    least = view.limits["path"] / (ratio_per_rate(view) * horizon)
    since = rate_gone_since(view, least)
    if since is None or _knows(view):
        return None
    now, end = view.record.step, max(planned_steps(view), view.record.step)
    stays = now - since >= max(view.limits["first_judged"], 0.5 * since)
    return (since, least) if stays and 2 * since <= end else None


def _is_clipped(view: View) -> bool:
    """Whether clipping shortens almost every gradient."""
    if not view.has("clip_rate"):
        return False
    return bool(np.mean(view.past("clip_rate", 20)) > view.limits["clipped"])


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


def _gone_sign(view: View, since: int, least: float) -> Sign:
    step, rate = view.record.step, view.scalar("learning_rate", "max")
    highest = float(curve(view, "learning_rate").values.max())
    name = optimizer_class(view) or "Adam"
    schedule = (
        "schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps)\n"
        f"optimizer = keras.optimizers.{name}(schedule)"
    )
    wasted = guessing(view) and not _has_fallen(view)
    return Sign(
        severity="warning" if wasted else "info",
        title=f"The learning rate has decayed to {number(rate)}, and nothing moves any more",
        onset=since,
        evidence=(
            Evidence("learning rate", rate, least, "", "learning_rate", step),
            Evidence("highest learning rate", highest, None, "", "learning_rate", step),
            Evidence("loss", median_loss(view), None, "", "loss", step),
        ),
        causes=(
            Cause(
                "the schedule is far shorter than the run, or decays too fast",
                "likely",
                f"learning_rate: {number(highest)} at first, next to nothing since step {since}",
            ),
        ),
        fixes=(
            Fix("Let the schedule last as long as the run; it counts steps, not epochs.", schedule),
            Fix(
                "Or keep a hundredth of the first rate until the end.",
                "keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=0.01)",
            ),
        ),
        harmless="The model is as good as it can get, and the rest of the run is not needed.",
        check="The learning rate reaches its lowest value at the end of the run only.",
    )


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
    if clipped := _is_clipped(view):
        share = float(np.mean(view.past("clip_rate", 20)))
        limit = view.limits["clipped"]
        evidence.append(Evidence("steps that are clipped", share, limit, "", "clip_rate", step))
    return Sign(
        severity="error" if rate == 0 else "warning" if guessing(view) else "info",
        title=_title(rate, path, horizon, clipped=clipped),
        onset=since,
        evidence=tuple(evidence),
        causes=_causes(view, rate, path / horizon),
        fixes=clipping_advice(view) if clipped else _fixes(view, rate, path / horizon),
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
    if _is_clipped(view):
        return clipping_cause(view), Cause(f"the learning rate of {number(rate)} is too low")
    support = f"update_ratio: the kernels change by {number(ratio)} of their size per step"
    if (flat := _flatness(view)) is not None:
        support = f"{flat.signal}: at {number(flat.value)}, longer steps would be safe"
    return likely_first(
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


def _cosine(step: int, end: int) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * min(step / end, 1))


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
            "clipping at every step, and it learns",
            rows=_ROWS,
            variable=_moves(2e-4),
            run={
                "loss": lambda s: _GUESSES * 0.998**s + _noise(s),
                "learning_rate": lambda s: 1e-3,
                "clip_rate": lambda s: 1.0,
            },
            classes={"label_counts": _labels},
            facts={**_BINARY, "clipping": {"clipnorm": 0.01}},
            steps=400,
        ),
        case(
            "a schedule that ends with the run, on a hard task",
            rows=_ROWS,
            variable={"update_ratio": lambda s: [0.01 * _cosine(s, 400)] * 2},
            run={
                "loss": lambda s: 0.6 + 0.09 * 0.99**s + _noise(s),
                "learning_rate": lambda s: 1e-3 * _cosine(s, 400),
            },
            classes={"label_counts": _labels},
            facts={**_BINARY, "epochs": 10, "steps": 50},
            steps=500,
        ),
        case(
            "a schedule that ends early, after it has learned",
            rows=_ROWS,
            variable={"update_ratio": lambda s: [0.01 * _cosine(s, 100)] * 2},
            run={
                "loss": lambda s: 0.02 + _GUESSES * 0.95**s,
                "learning_rate": lambda s: 1e-3 * _cosine(s, 100),
            },
            classes={"label_counts": _labels},
            facts={**_BINARY, "epochs": 10, "steps": 50},
            steps=500,
        ),
        case(
            "units that died under a rate that halves each epoch",
            rows=_ROWS,
            variable={"update_ratio": lambda s: [0.01 if s < 50 else 0.0] * 2},
            run={
                "loss": lambda s: _GUESSES + _noise(s),
                "learning_rate": lambda s: 1e-3 * 0.5 ** (s // 100),
            },
            classes={"label_counts": _labels},
            facts=_BINARY,
            steps=500,
        ),
        case(
            "steps that loss scaling skips",
            rows=_ROWS,
            variable={"update_ratio": lambda s: [NOT_MEASURED] * 2},
            run={"loss": lambda s: _GUESSES + _noise(s), "learning_rate": lambda s: 1e-3},
            classes={"label_counts": _labels},
            facts={**_BINARY, "loss_scaled": True},
            steps=200,
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
            "a loss that is multiplied by a millionth",
            rows=_ROWS,
            variable=_moves(5e-9),
            run={
                "loss": lambda s: 1e-6 * (_GUESSES + _noise(s)),
                "learning_rate": lambda s: 0.1,
            },
            facts={"optimizer": "SGD", "loss": "my_loss", "epochs": 20, "steps": 45},
            severity="warning",
            onset=0,
        ),
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
        case(
            "it decayed to nothing within the first epoch",
            rows=_ROWS,
            variable={"update_ratio": lambda s: [0.02 * 0.1 ** (s / 5) if s < 30 else 0.0] * 2},
            run={
                "loss": lambda s: _GUESSES * (0.95 + 0.05 * 0.8**s) + 0.1 * _noise(s),
                "learning_rate": lambda s: 2e-3 * 0.1 ** (s / 5),
            },
            classes={"label_counts": _labels},
            facts={**_BINARY, "epochs": 10, "steps": 25},
            steps=250,
            severity="warning",
            onset=17,
        ),
        case(
            "every gradient is clipped to next to nothing",
            rows=_ROWS,
            variable=_moves(2e-7),
            run={
                "loss": lambda s: _GUESSES + 0.1 * _noise(s),
                "learning_rate": lambda s: 0.1,
                "clip_rate": lambda s: 1.0,
                "gradient_global_norm": lambda s: 2.3,
            },
            classes={"label_counts": _labels},
            facts={**_BINARY, "optimizer": "SGD", "clipping": {"clipnorm": 1e-5}},
            steps=120,
            severity="warning",
            onset=0,
        ),
        case(
            "the curvature would allow steps a thousand times as long",
            rows=_ROWS,
            variable=_moves(6e-5),
            run={
                "loss": lambda s: _GUESSES + 0.1 * _noise(s),
                "learning_rate": lambda s: 1e-4,
                "stability_margin": lambda s: 2e-4 if s % 15 == 0 else None,
            },
            classes={"label_counts": _labels},
            facts={**_BINARY, "optimizer": "SGD"},
            severity="warning",
            onset=0,
        ),
    ),
)
