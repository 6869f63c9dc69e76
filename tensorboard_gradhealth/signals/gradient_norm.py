"""The size of each variable's gradient."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import Array, GradientContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: GradientContext) -> Tensor:
    return tf.sqrt(context.squared_norms)


def measure_numpy(context: GradientContext) -> Array:
    return np.sqrt(context.squared_norms)


SPEC = SignalSpec(
    name="gradient_norm",
    title="Gradient norm",
    unit="loss / parameter",
    axis="variable",
    scale="log",
    description="Euclidean norm of each variable's gradient before clipping. Compare layers "
    "with each other, not with an absolute limit.",
)
SIGNAL = Signal(
    SPEC,
    phase="gradient",
    cost="light",
    measure=measure,
    measure_numpy=measure_numpy,
    grouped="norm",
)
