"""The size of each variable's gradient."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import GradientContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: GradientContext) -> Tensor:
    return tf.sqrt(context.squared_norms)


SPEC = SignalSpec(
    name="gradient_norm",
    title="Gradient norm",
    unit="loss / parameter",
    axis="variable",
    scale="log",
    description="Euclidean norm of each variable's gradient before clipping. Compare layers "
    "with each other, not with an absolute limit.",
)
SIGNAL = Signal(SPEC, phase="gradient", cost="light", measure=measure)
