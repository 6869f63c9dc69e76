"""A learning rate whose schedule has brought it to next to nothing long before the run ends."""

from __future__ import annotations

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._loss import curve, guessing, planned_steps
from tensorboard_gradhealth.rules._pace import has_fallen, knows, rate_gone_since, ratio_per_rate
from tensorboard_gradhealth.rules._support import median_loss
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import decay_code, number
from tensorboard_gradhealth.types import Cause, Evidence, Fix


def gone(view: View, horizon: int) -> Sign | None:
    """A sign if the rate is next to nothing too early, and the model knows nothing yet."""
    least = view.limits["path"] / (ratio_per_rate(view) * horizon)
    since = rate_gone_since(view, least)
    if since is None or knows(view):
        return None
    now, end = view.record.step, max(planned_steps(view), view.record.step)
    stays = now - since >= max(view.limits["first_judged"], 0.5 * since)
    return _sign(view, since, least) if stays and 2 * since <= end else None


def _sign(view: View, since: int, least: float) -> Sign:
    step, rate = view.record.step, view.scalar("learning_rate", "max")
    highest = float(curve(view, "learning_rate").values.max())
    schedule = decay_code(view, steps="epochs * steps")
    wasted = guessing(view) and not has_fallen(view)
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
