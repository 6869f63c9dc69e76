"""How much of the gradient an activation lets through."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import ActivationContext, Array, Signal, Tensor
from tensorboard_gradhealth.signals._norm import mean_of_each
from tensorboard_gradhealth.types import SignalSpec


def measure(context: ActivationContext) -> Tensor:
    if context.slopes is None:
        return None
    return tf.sqrt(mean_of_each(tf.square(context.slopes)))


def measure_numpy(context: ActivationContext) -> Array | None:
    if context.slopes is None:
        return None
    return np.sqrt(np.mean(np.square(context.slopes), axis=(1, 2)))


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
SIGNAL = Signal(
    SPEC,
    phase="activation",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
    grouped="rms",
)
