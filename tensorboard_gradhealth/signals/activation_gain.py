"""How much of the signal an activation lets through."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import ActivationContext, Array, Signal, Tensor
from tensorboard_gradhealth.signals._norm import deviation_of_each, mean_of_each
from tensorboard_gradhealth.types import NOT_MEASURED, SignalSpec

ROUNDING = 1e-6
"""Spread of equal inputs, as a share of their size, that comes of rounding their mean."""


def measure(context: ActivationContext) -> Tensor:
    if context.inputs is None:
        return None
    spread = deviation_of_each(context.inputs)
    constant = spread <= ROUNDING * mean_of_each(tf.abs(context.inputs))
    gain = tf.math.divide_no_nan(deviation_of_each(context.outputs), spread)
    return tf.where(constant, NOT_MEASURED, gain)


def measure_numpy(context: ActivationContext) -> Array | None:
    if context.inputs is None:
        return None
    spread = np.std(context.inputs, axis=(1, 2))
    constant = spread <= ROUNDING * np.mean(np.abs(context.inputs), axis=(1, 2))
    gain = np.std(context.outputs, axis=(1, 2)) / np.where(constant, 1.0, spread)
    return np.where(constant, NOT_MEASURED, gain)


SPEC = SignalSpec(
    name="activation_gain",
    title="Activation gain",
    unit="",
    axis="activation",
    scale="log",
    healthy=(0.1, None),
    description="Standard deviation of what leaves the activation over that of what enters it.",
)
SIGNAL = Signal(
    SPEC,
    phase="activation",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
)
