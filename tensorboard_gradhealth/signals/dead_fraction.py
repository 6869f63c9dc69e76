"""How many units of a layer no longer answer to any input.

A unit is silent in a step when none of its outputs exceeds a small share of the layer's mean
output (Sokar et al. 2023, arXiv:2302.12902, use the mean instead of the maximum of the unit); for
a rectifier that means exactly zero. It is dead once it was silent for many samples in a row.
"""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import ActivationContext, Array, Signal, Tensor
from tensorboard_gradhealth.signals._norm import mean_of_each
from tensorboard_gradhealth.types import SignalSpec

SAMPLES = 512.0
"""How many samples in a row a unit must have been silent for."""

SILENT = 1e-3
"""Largest output of a silent unit, as a share of the mean absolute output of its layer."""


def silent_units(outputs: Tensor) -> Tensor:
    """Returns bool `[A, units]`: which units are silent in `outputs`, float32 `[A, n, units]`."""
    sizes = tf.abs(outputs)
    usual = mean_of_each(sizes)
    return tf.reduce_max(sizes, axis=1) <= SILENT * usual[:, tf.newaxis]


def silent_units_numpy(outputs: Array) -> Array:
    """The same of a NumPy array."""
    sizes = np.abs(outputs)
    usual = np.mean(sizes, axis=(1, 2))
    return np.max(sizes, axis=1) <= SILENT * usual[:, np.newaxis]


def measure(context: ActivationContext) -> Tensor:
    if context.silent_samples is None:
        return None
    return tf.reduce_mean(tf.cast(context.silent_samples >= SAMPLES, tf.float32), axis=1)


def measure_numpy(context: ActivationContext) -> Array | None:
    if context.silent_samples is None:
        return None
    return np.mean(context.silent_samples >= SAMPLES, axis=1)


SPEC = SignalSpec(
    name="dead_fraction",
    title="Dead units",
    unit="",
    axis="activation",
    healthy=(None, 0.5),
    description="Share of units that were silent on every one of the last 512 samples or more.",
)
SIGNAL = Signal(
    SPEC,
    phase="activation",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
    # A unit is dead if it is dead in all replicas.
    merge="min",
)
