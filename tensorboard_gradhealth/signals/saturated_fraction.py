"""How much of an activation sits where the function is flat."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import ActivationContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec

FLAT = 0.01
"""A slope below this share of the steepest is flat: |x| > 3 for tanh, |x| > 6 for sigmoid."""


def measure(context: ActivationContext) -> Tensor:
    if context.sample_slopes is None:
        return None
    slopes = tf.abs(context.sample_slopes)
    steepest = tf.reduce_max(slopes) if context.steepest is None else context.steepest
    # An output of zero is the flat side of a rectifier: that is `zero_fraction`, not saturation.
    flat = (slopes < FLAT * steepest) & tf.not_equal(context.sample_outputs, 0.0)
    return tf.reduce_mean(tf.cast(flat, tf.float32))


SPEC = SignalSpec(
    name="saturated_fraction",
    title="Saturated outputs",
    unit="",
    axis="activation",
    healthy=(None, 0.5),
    description="Share of outputs that are not zero and where the activation's slope is below 1 % "
    "of its steepest.",
)
SIGNAL = Signal(SPEC, phase="activation", cost="standard", measure=measure)
