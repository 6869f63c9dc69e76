"""Targets of a regression that are too large for the outputs that initial weights give."""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._loss import (
    Doubles,
    curve,
    first_loss,
    planned_steps,
    recent,
    start_level,
)
from tensorboard_gradhealth.rules._support import loss_drop, median_loss
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, shown, title
from tensorboard_gradhealth.types import Evidence, Fix

_LOSSES = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh")
_UNBOUNDED = ("linear", "leaky_relu", "relu", "softplus", "elu")
_STILL = 50  # Steps over which a loss that falls at all falls by a tenth.
_SCALE = Fix(
    "Scale the targets, and scale predictions back.",
    "center, scale = y_train.mean(0), y_train.std(0)\n"
    "model.fit(x_train, (y_train - center) / scale)\n"
    "predictions = model.predict(x_test) * scale + center",
)
_BIAS = Fix(
    "Or start the last layer at the mean of the targets.",
    "keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(y_train.mean()))",
)


def large_targets(view: View) -> Sign | None:
    """A sign while targets are far larger than outputs, and training does not get nearer to them.

    The rule's limits are `target`, `far`, `wait`, `blown` and `mean_only`.
    """
    if not _is_regression(view) or not view.has("input_features"):
        return None
    mean, std = view.latest("input_features", "mean"), view.latest("input_features", "std")
    size = np.where(view.where("input_features", "target"), np.hypot(mean, std), 0)
    row = int(np.nan_to_num(size).argmax())
    if not size[row] > view.limits["target"] or not (harm := _harm(view)):
        return None
    name, step = view.rows("input_features")[row].name, view.record.step
    return Sign(
        severity="warning",
        title=title(f"Targets are large: {{}} is {number(mean[row])} +- {number(std[row])}", name),
        layers=(name,),
        onset=0,
        evidence=(
            Evidence(
                "typical size of the target",
                float(size[row]),
                view.limits["target"],
                "",
                "input_features",
                step,
                name,
            ),
            harm,
        ),
        causes=(shown("nothing scales the targets, and the outputs start near 0", [harm]),),
        fixes=(_SCALE, _BIAS),
        harmless="The loss falls all the same, because the learning rate suits these targets.",
        check="The first loss is near 1, the variance of the scaled targets, and falls.",
    )


def _is_regression(view: View) -> bool:
    heads = view.facts.get("outputs") or []
    return bool(heads) and all(
        head["loss"] in _LOSSES and head["activation"] in _UNBOUNDED for head in heads
    )


def _harm(view: View) -> Evidence | None:
    """The loss that has hardly fallen after a while, has blown up, or stays at the variance."""
    drop, step, limits = loss_drop(view), view.record.step, view.limits
    if -drop > limits["blown"] or math.isinf(median_loss(view)):
        label = "rise of the loss / first loss"
        return Evidence(label, -drop, limits["blown"], "", "loss", step)
    slow = step >= limits["wait"] and drop < limits["far"] and not _may_arrive(view)
    if slow and not _begins_at_the_mean(view):
        return Evidence("fall of the loss / first loss", drop, limits["far"], "", "loss", step)
    return _mean_only(view)


def _begins_at_the_mean(view: View) -> bool:
    """Whether the last layer begins near the mean of the targets, so that it has no way to go."""
    heads, targets = view.facts["outputs"], view.where("input_features", "target")
    mean = float(np.mean(np.abs(view.latest("input_features", "mean")[targets])))
    std = float(np.mean(view.latest("input_features", "std")[targets]))
    if len(heads) > 1 or not mean > std:
        return False
    # What outputs of 0 would have, of which a model that begins at the mean has a fraction.
    of_zero = mean**2 + std**2 if heads[0]["loss"] == "mean_squared_error" else mean
    return first_loss(view) < 0.5 * of_zero


def _may_arrive(view: View) -> bool:
    """Whether the loss can reach 0 before the run ends, carried on as it fell so far.

    That is with two standard errors in favour: batches of large targets differ by more than the
    loss falls in the first steps. While outputs are far from the targets it rather falls ever
    faster: each step moves them the further, the larger the last layer has become.
    """
    change, error = curve(view).trend()
    return (2 * error - change) * planned_steps(view) > start_level(view)


def _mean_only(view: View) -> Evidence | None:
    """The loss that half of the run has brought to the variance of the targets, and not below.

    That is what their mean alone gives: the steps went into the way to it.
    """
    heads, limit = view.facts["outputs"], view.limits["mean_only"]
    if len(heads) > 1 or heads[0]["loss"] != "mean_squared_error":
        return None
    if not 0 < planned_steps(view) / 2 <= view.record.step:
        return None
    std = view.latest("input_features", "std")[view.where("input_features", "target")]
    loss = recent(view, _STILL, 4).values
    older, newer = (float(np.mean(half)) if len(half) else math.nan for half in _halves(loss))
    share = newer / float(np.mean(np.square(std, dtype=np.float64)))
    if not (limit < share < 1 / limit and newer > 0.9 * older):
        return None
    label = "loss / variance of the targets"
    return Evidence(label, share, limit, "", "loss", view.record.step)


def _halves(values: Doubles) -> tuple[Doubles, Doubles]:
    middle = len(values) // 2
    return values[:middle], values[middle:]
