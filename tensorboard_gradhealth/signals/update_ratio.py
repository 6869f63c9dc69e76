"""How far a step moves each variable, relative to its size."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import Array, Signal, Tensor, UpdateContext
from tensorboard_gradhealth.types import NOT_MEASURED, SignalSpec


def measure(context: UpdateContext) -> Tensor:
    weights = context.squared_weights
    ratios = tf.sqrt(tf.math.divide_no_nan(context.squared_changes, weights))
    # A variable that is still all zero (a fresh bias) has no size to compare its change with.
    return tf.where(
        tf.equal(weights, 0.0) | ~tf.convert_to_tensor(context.whole), NOT_MEASURED, ratios
    )


def measure_numpy(context: UpdateContext) -> Array:
    weights = context.squared_weights
    ratios = np.sqrt(context.squared_changes / np.where(weights == 0.0, 1.0, weights))
    return np.where(weights == 0.0, NOT_MEASURED, ratios)


SPEC = SignalSpec(
    name="update_ratio",
    title="Update ratio",
    unit="",
    axis="variable",
    scale="log",
    healthy=(1e-05, 0.1),
    description="Norm of the weight change divided by the norm of the weight before it, "
    "weight decay and constraints included.",
)
SIGNAL = Signal(
    SPEC,
    phase="update",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
    grouped="ratio",
)
