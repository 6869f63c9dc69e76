"""How much of an activation sits where the function is flat."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import ActivationContext, Array, Signal, Tensor
from tensorboard_gradhealth.signals._norm import mean_of_each
from tensorboard_gradhealth.types import SignalSpec

FLAT = 0.01
"""A slope below this share of the steepest is flat: |x| > 3 for tanh, |x| > 6 for sigmoid."""


def measure(context: ActivationContext) -> Tensor:
    if context.slopes is None:
        return None
    slopes = tf.abs(context.slopes)
    steepest = context.steepest
    if steepest is None:
        steepest = tf.reduce_max(slopes, axis=[1, 2], keepdims=True)
    # An output of zero is the flat side of a rectifier: that is `zero_fraction`, not saturation.
    flat = (slopes < FLAT * steepest) & tf.not_equal(context.outputs, 0.0)
    return mean_of_each(tf.cast(flat, tf.float32))


def measure_numpy(context: ActivationContext) -> Array | None:
    if context.slopes is None:
        return None
    slopes = np.abs(context.slopes)
    steepest = context.steepest
    if steepest is None:
        steepest = slopes.max(axis=(1, 2), keepdims=True)
    return np.mean((slopes < FLAT * steepest) & (context.outputs != 0.0), axis=(1, 2))


SPEC = SignalSpec(
    name="saturated_fraction",
    title="Saturated outputs",
    unit="",
    axis="activation",
    healthy=(None, 0.5),
    description="Share of outputs that are not zero and where the activation's slope is below 1 % "
    "of its steepest.",
)
SIGNAL = Signal(
    SPEC,
    phase="activation",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
)
