"""NaN and infinity in activations."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import Array, OutputContext, Signal, Tensor
from tensorboard_gradhealth.signals._rarely import rarely
from tensorboard_gradhealth.types import SignalSpec


def measure(context: OutputContext) -> Tensor:
    def look() -> Tensor:
        # A sum is not finite if a part of it is not: one pass over each output.
        sums = [tf.reduce_sum(tf.cast(outputs(), tf.float32)) for outputs in context.outputs]
        return tf.cast(~tf.math.is_finite(tf.stack(sums)), tf.float32)

    if context.sound is None:
        return look()
    return rarely(context.sound, lambda: tf.zeros([len(context.outputs)]), look)


def measure_numpy(context: OutputContext) -> Array:
    return np.array([not np.isfinite(outputs()).all() for outputs in context.outputs])


SPEC = SignalSpec(
    name="activation_nonfinite",
    title="Non-finite outputs",
    unit="",
    axis="activation",
    healthy=(None, 0.0),
    description="1 where the output of the activation holds NaN or infinity, else 0.",
)
SIGNAL = Signal(
    SPEC,
    phase="output",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    merge="sum",
    grouped="sum",
)
