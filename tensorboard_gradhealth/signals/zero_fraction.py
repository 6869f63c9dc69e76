"""How much of an activation is exactly zero."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import ActivationContext, Array, Signal, Tensor
from tensorboard_gradhealth.signals._norm import mean_of_each
from tensorboard_gradhealth.types import SignalSpec


def measure(context: ActivationContext) -> Tensor:
    return mean_of_each(tf.cast(tf.equal(context.outputs, 0.0), tf.float32))


def measure_numpy(context: ActivationContext) -> Array:
    return np.mean(context.outputs == 0.0, axis=(1, 2))


SPEC = SignalSpec(
    name="zero_fraction",
    title="Zero outputs",
    unit="",
    axis="activation",
    description="Share of outputs that are exactly 0. About one half is usual for ReLU.",
)
SIGNAL = Signal(
    SPEC,
    phase="activation",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
)
