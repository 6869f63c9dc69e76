"""The norm of all gradients together."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import Signal, StepContext, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: StepContext) -> Tensor:
    if context.squared_norms is None:
        return None
    return tf.sqrt(tf.reduce_sum(context.squared_norms))


SPEC = SignalSpec(
    name="gradient_global_norm",
    title="Global gradient norm",
    unit="loss / parameter",
    axis="run",
    scale="log",
    description="Euclidean norm of the gradient of all variables together, before clipping; "
    "what `tf.linalg.global_norm` returns.",
)
SIGNAL = Signal(SPEC, phase="step", cost="light", measure=measure)
