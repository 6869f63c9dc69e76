"""How much of the gradient an activation lets through."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import ActivationContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: ActivationContext) -> Tensor:
    if context.sample_slopes is None:
        return None
    return tf.sqrt(tf.reduce_mean(tf.square(context.sample_slopes)))


SPEC = SignalSpec(
    name="activation_slope",
    title="Activation slope",
    unit="",
    axis="activation",
    scale="log",
    healthy=(0.1, None),
    description="Root mean square of the activation's derivative: the factor by which it "
    "scales a gradient that passes backwards.",
)
SIGNAL = Signal(SPEC, phase="activation", cost="standard", measure=measure)
