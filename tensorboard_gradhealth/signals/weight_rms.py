"""The size of each variable's weights."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import Array, Signal, Tensor, UpdateContext
from tensorboard_gradhealth.types import SignalSpec


def measure(context: UpdateContext) -> Tensor:
    sizes = [float(variable.shape.num_elements() or 1) for variable in context.variables]
    return tf.sqrt(context.squared_weights / tf.constant(sizes))


def measure_numpy(context: UpdateContext) -> Array:
    sizes = [max(variable.size, 1) for variable in context.variables]
    return np.sqrt(context.squared_weights / sizes)


SPEC = SignalSpec(
    name="weight_rms",
    title="Weight size",
    unit="parameter",
    axis="variable",
    scale="log",
    description="Root mean square of each variable before the step.",
)
SIGNAL = Signal(
    SPEC,
    phase="update",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
    grouped="rms",
)
