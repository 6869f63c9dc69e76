"""How far the kernels move, and what sets the length of their steps: rate, schedule, clipping."""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._answers import until_new
from tensorboard_gradhealth.rules._base import NotEvaluated
from tensorboard_gradhealth.rules._loss import Doubles, curve
from tensorboard_gradhealth.rules._support import FIRST_STEPS
from tensorboard_gradhealth.rules._view import Floats, View
from tensorboard_gradhealth.rules._wording import number, optimizer_class
from tensorboard_gradhealth.types import Cause, Fix

SETTLED = 100
"""Steps after which a learning rate that rose counts as the one to judge."""


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
