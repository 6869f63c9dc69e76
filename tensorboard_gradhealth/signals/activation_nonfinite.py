"""NaN and infinity in activations."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import ActivationContext, Signal, Tensor, count_if_any
from tensorboard_gradhealth.types import SignalSpec


def measure(context: ActivationContext) -> Tensor:
    total = tf.reduce_sum(tf.cast(context.outputs, tf.float32))
    return count_if_any(total[tf.newaxis], lambda: [context.outputs])[0]


SPEC = SignalSpec(
    name="activation_nonfinite",
    title="Non-finite outputs",
    unit="elements",
    axis="activation",
    healthy=(None, 0.0),
    description="NaN and infinite elements in the output of each activation.",
)
SIGNAL = Signal(SPEC, phase="activation", cost="standard", measure=measure)
