"""Losses that stand still: one that fell before, and one whose weights are eaten by a penalty."""

from __future__ import annotations

import dataclasses

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._loss import Curve, Guess, curve, untrained
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import decay_code, number, percent, quoted, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity


def eaten(view: View, late: Curve, guess: Guess) -> Sign | None:
    """A sign where a kernel has all but vanished, and the loss is no better than guessing."""
    if not view.has("weight_rms") or not len(first := view.early("weight_rms", 0)):
        return None
    left = np.where(view.where("weight_rms", "kernel"), view.latest("weight_rms") / first[0], 1)
    shrunk, row = view.limits["shrunk"], int(np.nan_to_num(left, nan=1).argmin())
    if not (left[row] < shrunk and late.level() >= view.limits["level"] * guess.loss):
        return None
    name, share = view.rows("weight_rms")[row].name, float(left[row])
    evidence = [
        Evidence("size / first size", share, shrunk, "", "weight_rms", row=name),
        Evidence("loss of the last 30 % of the steps", late.level(), guess.loss, "", "loss"),
    ]
    support = f"weight_rms: {quoted(name)} has {percent(share)} of its first size"
    return plateau(
        view,
        "warning",
        title("Decay leaves nothing of {}, and the loss is that of guessing", name),
        evidence,
        (Cause("weight decay or the penalty on weights is far too strong", "likely", support),),
        (
            Fix(
                "Divide the penalty or the decay by 100.",
                "kernel_regularizer = keras.regularizers.L2(1e-4)",
            ),
        ),
        layers=(name,),
    )


def falls(late: Curve, share: float) -> bool:
    """Whether the loss fell by more than that share, and by more than noise explains."""
    slope, error = late.trend()
    return -slope * late.steps > share * abs(late.level()) and -slope > 2 * error


def stopped(view: View, late: Curve) -> Sign | None:
    """Information where the loss fell once and stands still, far from nothing."""
    level, start, limits = late.level(), untrained(view), view.limits
    if late.steps < 500 or falls(late, limits["flat"]) or not _rate_is_constant(view):
        return None
    if not limits["remains"] * start < level < limits["improved"] * start:
        return None
    if _validation_improves(view, late.first[0]):
        return None
    return plateau(
        view,
        "info",
        f"The loss has stopped falling at {number(level)}",
        _stopped_evidence(view, late),
        (
            Cause("the learning rate, which was never lowered, is too high to get closer"),
            Cause("the model is too small, or regularised too much, for the task"),
            Cause("the rest is noise in the labels"),
        ),
        (
            Fix(
                "Lower the learning rate when the loss stands still, or let it decay.",
                decay_code(view),
            ),
            Fix("If that gains nothing, try a larger model or less regularisation."),
        ),
    )


def _stopped_evidence(view: View, late: Curve) -> list[Evidence]:
    level, limits = late.level(), view.limits
    label = f"fall of the loss in the last {late.steps:.0f} steps, as a share of it"
    fall, least = -late.trend()[0] * late.steps / level, limits["remains"] * untrained(view)
    return [
        Evidence(label, fall, limits["flat"], "", "loss"),
        Evidence("loss of the last 30 % of the steps", level, least, "", "loss"),
    ]


def _rate_is_constant(view: View) -> bool:
    rate = curve(view, "learning_rate").values
    return bool(len(rate) and rate[-1] > 0.9 * rate.max())


def _validation_improves(view: View, since: float) -> bool:
    loss = curve(view, "validation_loss")
    before, after = loss.until(since).values, loss.since(since).values
    return bool(len(before) and len(after) and after.min() < 0.99 * before.min())


def plateau(
    view: View,
    severity: Severity,
    head: str,
    evidence: list[Evidence],
    causes: tuple[Cause, ...],
    fixes: tuple[Fix, ...],
    layers: tuple[str, ...] = (),
) -> Sign:
    """A sign whose evidence was read now."""
    at = view.record.step
    return Sign(
        severity=severity,
        title=head,
        layers=layers,
        evidence=tuple(dataclasses.replace(item, step=at) for item in evidence),
        causes=causes,
        fixes=fixes,
        harmless="There is nothing more to learn: random labels, or a loss with a high floor.",
        check="The loss is clearly below what guessing gives, and falls.",
    )
