"""Steps that are too long for the weights: what shows it, what causes it, what helps."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._loss import untrained
from tensorboard_gradhealth.rules._probes import beyond_stability, least_margin, margins, overshoots
from tensorboard_gradhealth.rules._support import (
    Update,
    calmer,
    initial_weights_cause,
    input_scale_cause,
    likely_first,
    loss_drop,
    median_loss,
    recent_loss_drop,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import (
    ADAPTIVE,
    lower_learning_rate,
    number,
    optimizer_class,
)
from tensorboard_gradhealth.types import Cause, Evidence, Fix

_WILD = 1000.0  # No sensible learning rate does this alone.
_WARM_UP = Fix("If that rate is needed later, let it rise over the first steps (warm-up).")


def rate_and_fall(view: View, needed: float) -> tuple[Evidence, ...]:
    """The learning rate, and how the loss fell, as far as they are known."""
    found, step, drop = [], view.record.step, loss_drop(view)
    if view.has("learning_rate"):
        rate = view.scalar("learning_rate", "max")
        found.append(Evidence("learning rate", rate, None, "", "learning_rate", step))
    if step >= view.limits["recovery_step"] and np.isfinite(drop):
        label = "fall of the loss since the start"
        found.append(Evidence(label, drop, needed, "", "loss", step))
    return tuple(found)


def overshoot_evidence(view: View) -> tuple[Evidence, ...]:
    """The overshoots of the last five probes, if every one raised the loss of its batch."""
    rho = overshoots(view, 5)
    if len(rho) < 5 or not (rho > 1).all():
        return ()
    label, step = "least overshoot of the last 5 probes", view.record.step
    return (Evidence(label, float(rho.min()), 1.0, "", "step_overshoot", step),)


def causes(view: View, update: Update) -> tuple[Cause, ...]:
    """The rate, the inputs and the initial weights, as far as each can be the reason."""
    rate = view.scalar("learning_rate", "max")
    named = f"the learning rate of {number(rate)} is too high"
    if not rate > 0:
        named = "the learning rate is too high"
    inputs, weights = input_scale_cause(view), initial_weights_cause(view)
    if update.ratio > _WILD:
        return likely_first(weights, inputs, Cause(named))
    cause, optimizer = Cause(named), optimizer_class(view)
    if optimizer in ADAPTIVE and rate >= 0.03:
        support = f"learning_rate: {optimizer} moves each weight by about that much per step"
        cause = Cause(named, "likely", support)
    elif overshoot_evidence(view):
        support = "step_overshoot: the last 5 steps looked at raised the loss of their own batch"
        cause = Cause(named, "likely", support)
    return likely_first(cause, inputs, weights)


def by_rate(view: View, update: Update) -> bool:
    """Whether it is for the rate to answer: a wild step only if inputs and weights are fine."""
    others = (initial_weights_cause(view), input_scale_cause(view))
    return update.ratio <= _WILD or all(cause.confidence == "ruled out" for cause in others)


def fixes(view: View, update: Update) -> tuple[Fix, ...]:
    """Advises a lower rate where it is for the rate to answer, and clipping in any case."""
    lower = lower_learning_rate(view, calmer(view, update.begin))
    name = optimizer_class(view) or "Adam"
    clip = Fix(
        "Clip the norm of the gradient.", f"keras.optimizers.{name}(learning_rate, clipnorm=1.0)"
    )
    if update.ratio > _WILD:
        smaller = Fix("Start from smaller weights.", 'kernel_initializer="he_normal"')
        rest = (clip,) if initial_weights_cause(view).confidence == "ruled out" else (clip, smaller)
        return (lower, *rest) if by_rate(view, update) else rest
    return lower, _WARM_UP, clip


def beyond_the_edge(view: View) -> Sign | None:
    """A sign while the loss is too curved for steps of that length, and does not fall."""
    limit = view.limits["margin"]
    if not least_margin(view) > limit:
        return None
    if not (recent_loss_drop(view) < 0.05 and median_loss(view) > 0.5 * untrained(view)):
        return None
    margin, step = float(margins(view, 3)[-1]), view.record.step
    label, rate = "sharpness x learning rate / limit", view.scalar("learning_rate", "max")
    named = f"of {number(rate)} is too high" if rate > 0 else "is too high"
    return Sign(
        severity="warning",
        title=f"The learning rate {named} for the curvature of the loss",
        onset=int(view.past_steps("stability_margin", 3)[0, 0]),
        evidence=(
            Evidence(label, margin, limit, "", "stability_margin", step),
            *overshoot_evidence(view),
            Evidence("fall of the recent loss", recent_loss_drop(view), 0.05, "", "loss", step),
        ),
        causes=likely_first(
            Cause(f"the learning rate {named}", "likely", beyond_stability(margin)),
            input_scale_cause(view),
        ),
        fixes=(lower_learning_rate(view, 1 / margin), _WARM_UP),
        harmless="The loss falls all the same: training then lives at the edge of stability.",
        check="stability_margin is at most about 1, and the loss falls.",
    )
