"""How much of an activation is exactly zero."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import ActivationContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: ActivationContext) -> Tensor:
    return tf.reduce_mean(tf.cast(tf.equal(context.sample_outputs, 0.0), tf.float32))


SPEC = SignalSpec(
    name="zero_fraction",
    title="Zero outputs",
    unit="",
    axis="activation",
    description="Share of outputs that are exactly 0. About one half is usual for ReLU.",
)
SIGNAL = Signal(SPEC, phase="activation", cost="standard", measure=measure)
