"""The norm of all gradients together."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import Array, Signal, StepContext, Tensor
from tensorboard_gradhealth.types import NOT_MEASURED, SignalSpec


def measure(context: StepContext) -> Tensor:
    squares = context.squared_norms
    if squares is None:
        return None
    # Where an optimizer did not run in this step, there are no gradients of its variables.
    measured = tf.not_equal(squares, NOT_MEASURED)
    norm = tf.sqrt(tf.reduce_sum(tf.where(measured, squares, 0.0)))
    return tf.where(tf.reduce_any(measured), norm, NOT_MEASURED)


def measure_numpy(context: StepContext) -> Array | None:
    if context.squared_norms is None:
        return None
    return np.sqrt(np.sum(context.squared_norms))


SPEC = SignalSpec(
    name="gradient_global_norm",
    title="Global gradient norm",
    unit="loss / parameter",
    axis="run",
    scale="log",
    description="Euclidean norm of the gradient of all variables together, before clipping; "
    "what `tf.linalg.global_norm` returns.",
)
SIGNAL = Signal(SPEC, phase="step", cost="light", measure=measure, measure_numpy=measure_numpy)
