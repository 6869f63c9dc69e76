"""How far the kernels move, and what sets the length of their steps: rate, schedule, clipping."""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._answers import until_new
from tensorboard_gradhealth.rules._base import NotEvaluated
from tensorboard_gradhealth.rules._loss import Doubles, curve, guessing, recent, start_level
from tensorboard_gradhealth.rules._support import FIRST_STEPS, median_loss
from tensorboard_gradhealth.rules._view import Floats, View
from tensorboard_gradhealth.rules._wording import number, optimizer_class
from tensorboard_gradhealth.types import Cause, Fix

SETTLED = 100
"""Steps after which a learning rate that rose counts as the one to judge."""

USUAL_RATIO = 1e-3
"""Update ratio that the advised rate should lead to."""

_USUAL_RATE = {"SGD": 0.1, "Adagrad": 0.1, "Adadelta": 1.0, "Ftrl": 0.1}
_USUAL_RATE_OF_OTHERS = 1e-3


@until_new("update_ratio")
def moving_ratio(view: View) -> float:
    """Update ratio that 80 % of the kernels do not exceed, of late; NaN if there are none."""
    ratio = view.past("update_ratio", 20)[:, _kernels(view)].astype(np.float64)
    if not ratio.size or not np.isfinite(ratio).all(axis=0).any():
        return math.nan
    median = np.median(ratio, axis=0)
    return float(_most(median[None, np.isfinite(median)])[0])


@until_new("update_ratio", "learning_rate", early=True)
def ratio_per_rate(view: View) -> float:
    """Median update ratio per unit of the learning rate over the first steps; NaN if unknown."""
    ratio = view.early("update_ratio")[:, _kernels(view)]
    rate = view.early("learning_rate")[:, 0].astype(np.float64)
    if not ratio.size or len(ratio) != len(rate):
        return math.nan
    moved = _most(ratio)
    alive = (rate > 0) & (moved > 0)
    return float(np.median(moved[alive] / rate[alive])) if alive.any() else math.nan


def _kernels(view: View) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return view.where("update_ratio", "kernel") & (view.sizes("update_ratio") >= 16)


def _most(ratio: Floats | Doubles) -> Doubles:
    """What 80 % of the columns do not exceed in each row; NaN comes last."""
    ordered = np.sort(ratio.astype(np.float64), axis=1)
    return ordered[:, math.ceil(0.8 * ordered.shape[1]) - 1]


def rate_gone_since(view: View, limit: float) -> int | None:
    """First step since which the learning rate is below `limit`, if it was above it before."""
    rate = curve(view, "learning_rate")
    above = np.flatnonzero(rate.values >= limit)
    if not len(above) or above[-1] == len(rate.values) - 1:
        return None
    return int(rate.first[above[-1] + 1])


def rate_was_lowered(view: View) -> bool:
    """Whether the learning rate is less than half of the highest one of the first steps."""
    if not view.has("learning_rate"):
        return False
    first = view.early("learning_rate", FIRST_STEPS, "max").ravel()
    highest = np.fmax.reduce(first, initial=-np.inf)
    return bool(view.scalar("learning_rate", "max") < 0.5 * highest)


def steady_since(view: View, first_judged: int) -> int:
    """First step of the stretch up to now in which the learning rate did not rise.

    Raises:
      NotEvaluated: It rises, has risen only lately, has fallen, or it is too early.
    """
    rate, now = curve(view, "learning_rate"), view.record.step
    latest = rate.values[-1]
    if latest < 0.5 * rate.values.max():
        raise NotEvaluated("the learning rate has fallen since the start")
    begin = float(rate.first[0])
    earlier = max(begin, min(now - SETTLED, begin + 0.8 * (now - begin)))
    if latest > 1.02 * rate.values[np.flatnonzero(rate.first <= earlier)[-1]]:
        raise NotEvaluated("the learning rate still rises")
    lower = np.flatnonzero(rate.values < 0.9 * latest)
    since = int(rate.last[lower[-1]]) + 1 if len(lower) else int(begin)
    wait = SETTLED if len(lower) else first_judged
    if now - since < wait:
        raise NotEvaluated(f"judged {wait:.0f} steps after the learning rate has settled")
    return since


def knows(view: View) -> bool:
    """Whether the loss is far below that of guessing: a trained model moves little."""
    guess = guessing(view)
    return guess is not None and median_loss(view) < 0.5 * guess.loss


def has_fallen(view: View) -> bool:
    """Whether the loss of 20 steps is clearly below that of the first 20."""
    return recent(view, 20, 5).level() < 0.8 * start_level(view)


def is_clipped(view: View) -> bool:
    """Whether clipping shortens almost every gradient."""
    if not view.has("clip_rate"):
        return False
    return bool(np.mean(view.past("clip_rate", 20)) > view.limits["clipped"])


def raising_advice(view: View, rate: float, ratio: float) -> tuple[Fix, ...]:
    """Advises the rate at which kernels change as they usually do; by `ratio` they do now."""
    name = optimizer_class(view)
    usual = _USUAL_RATE.get(name, _USUAL_RATE_OF_OTHERS)
    wanted = rate * USUAL_RATIO / ratio if ratio > 0 and rate > 0 else usual
    higher = min(10.0 ** round(math.log10(wanted)), max(usual, 10 * rate))
    code = f"optimizer.learning_rate = {higher:.3g}"
    if name:
        code = f"optimizer = keras.optimizers.{name}(learning_rate={higher:.3g})"
    return (
        Fix(f"Raise the learning rate from {number(rate)} to about {higher:.3g}.", code),
        Fix("If that is too much at the start, let it rise over the first steps (warm-up)."),
    )


def clipping_cause(view: View) -> Cause:
    """The limit of the clipping as what makes the steps short."""
    name, limit = _clipping(view)
    norm = _usual_norm(view)
    held = f", of norms about {number(norm)}" if norm > 0 else ""
    named = f" at {name}={limit:g}" if name else ""
    support = f"clip_rate: almost every gradient is made smaller{held}"
    return Cause(f"the gradient is clipped{named}, far below its usual norm", "likely", support)


def clipping_advice(view: View) -> tuple[Fix, ...]:
    """Advises a limit at the usual norm of the gradient."""
    name, _ = _clipping(view)
    norm, optimizer = _usual_norm(view), optimizer_class(view) or "Adam"
    higher = 10.0 ** math.ceil(math.log10(norm)) if 0 < norm < math.inf else 1.0
    return (
        Fix(
            "Clip only what is unusual: the limit belongs above most norms of the gradient.",
            f"keras.optimizers.{optimizer}(learning_rate, {name or 'clipnorm'}={higher:g})",
        ),
        Fix("Or leave the clipping out and see whether it was needed."),
    )


def _clipping(view: View) -> tuple[str, float]:
    given: dict[str, float] = view.facts.get("clipping") or {"": math.nan}
    return next(iter(given.items()))


def _usual_norm(view: View) -> float:
    if not view.has("gradient_global_norm"):
        return math.nan
    return float(np.median(view.past("gradient_global_norm")))
