"""What the probes of the curvature said: how far steps overshoot, how near stability ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.rules._view import Floats, View
from tensorboard_gradhealth.rules._wording import number

Doubles = npt.NDArray[np.float64]


def overshoots(view: View, probes: int, after: int = 20) -> Doubles:
    """The last `probes` values of `step_overshoot` past step `after`; empty if none."""
    if not view.has("step_overshoot"):
        return np.empty(0)
    values = view.past("step_overshoot")[:, 0].astype(np.float64)
    late = view.past_steps("step_overshoot")[:, 0] > after
    return values[late & np.isfinite(values)][-probes:]


def margins(view: View, probes: int) -> Floats:
    """The last `probes` values of `stability_margin`; empty if there are fewer."""
    if not view.has("stability_margin"):
        return np.empty(0, np.float32)
    past = view.past("stability_margin", probes)[:, 0]
    return past if len(past) == probes else np.empty(0, np.float32)


def least_margin(view: View, probes: int = 3) -> float:
    """The smallest of the last margins; NaN if there are too few."""
    last = margins(view, probes)
    return float(last.min()) if len(last) else float("nan")


def beyond_stability(margin: float) -> str:
    """What supports a learning rate as the cause where the margin is that large."""
    return f"stability_margin: {number(margin)} times the limit of this optimizer"
