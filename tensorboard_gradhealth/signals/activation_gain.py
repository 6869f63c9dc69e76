"""How much of the signal an activation lets through."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import ActivationContext, Signal, Tensor
from tensorboard_gradhealth.types import NOT_MEASURED, SignalSpec


def measure(context: ActivationContext) -> Tensor:
    if context.sample_inputs is None:
        return None
    spread = tf.math.reduce_std(context.sample_inputs)
    gain = tf.math.divide_no_nan(tf.math.reduce_std(context.sample_outputs), spread)
    return tf.where(tf.equal(spread, 0.0), NOT_MEASURED, gain)


SPEC = SignalSpec(
    name="activation_gain",
    title="Activation gain",
    unit="",
    axis="activation",
    scale="log",
    healthy=(0.1, None),
    description="Standard deviation of what leaves the activation over that of what enters it.",
)
SIGNAL = Signal(SPEC, phase="activation", cost="standard", measure=measure)
