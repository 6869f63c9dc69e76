"""How far a step moves each variable, relative to its size."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import Signal, Tensor, UpdateContext
from tensorboard_gradhealth.types import NOT_MEASURED, SignalSpec


def measure(context: UpdateContext) -> Tensor:
    weights = context.squared_weights
    ratios = tf.sqrt(tf.math.divide_no_nan(context.squared_changes, weights))
    # A variable that is still all zero (a fresh bias) has no size to compare its change with.
    return tf.where(tf.equal(weights, 0.0), NOT_MEASURED, ratios)


SPEC = SignalSpec(
    name="update_ratio",
    title="Update ratio",
    unit="",
    axis="variable",
    scale="log",
    healthy=(1e-05, 0.1),
    description="Norm of the weight change divided by the norm of the weight before it, "
    "from the change itself, whatever the optimizer did.",
)
SIGNAL = Signal(SPEC, phase="update", cost="standard", measure=measure)
