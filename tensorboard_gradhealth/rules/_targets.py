"""Targets of a regression that are too large for the outputs that initial weights give."""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._support import loss_drop, median_loss
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix

_LOSSES = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh")
_UNBOUNDED = ("linear", "leaky_relu", "relu", "softplus", "elu")
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

    The rule's limits are `target`, `far`, `wait` and `blown`.
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
        title=title(
            f"Targets are large: {{}} is {number(mean[row])} +- {number(std[row])}",
            name,
        ),
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
        causes=(
            Cause(
                "nothing scales the targets, and the outputs start near 0",
                "likely",
                f"{harm.signal}: {harm.label} {number(harm.value)}",
            ),
        ),
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
    """The loss that has hardly fallen after a while, or that has blown up."""
    drop, step, limits = loss_drop(view), view.record.step, view.limits
    if -drop > limits["blown"] or math.isinf(median_loss(view)):
        label = "rise of the loss / first loss"
        return Evidence(label, -drop, limits["blown"], "", "loss", step)
    if step >= limits["wait"] and drop < limits["far"]:
        return Evidence("fall of the loss / first loss", drop, limits["far"], "", "loss", step)
    return None
