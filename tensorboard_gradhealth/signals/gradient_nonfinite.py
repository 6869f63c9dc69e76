"""NaN and infinity in gradients."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import (
    Array,
    GradientContext,
    Signal,
    Tensor,
    nonfinite_elements,
)
from tensorboard_gradhealth.signals._norm import LARGE
from tensorboard_gradhealth.types import SignalSpec


def measure(context: GradientContext) -> Tensor:
    # Each by itself: one branch for all would keep all gradients until the last one is there.
    pairs = zip(context.values, context.each_squared_norm, strict=True)
    return tf.stack([_count(value, square) for value, square in pairs])


def _count(value: Tensor, square: Tensor) -> Tensor:
    if (value.shape.num_elements() or 0) < LARGE:
        return _nonfinite(value)
    return tf.cond(tf.math.is_finite(square), lambda: tf.constant(0.0), lambda: _nonfinite(value))


def _nonfinite(value: Tensor) -> Tensor:
    return tf.cast(tf.reduce_sum(tf.cast(~tf.math.is_finite(value), tf.int32)), tf.float32)


def measure_numpy(context: GradientContext) -> Array:
    return np.array([nonfinite_elements(value) for value in context.values])


SPEC = SignalSpec(
    name="gradient_nonfinite",
    title="Non-finite gradients",
    unit="elements",
    axis="variable",
    healthy=(None, 0.0),
    description="NaN and infinite elements in each variable's gradient.",
)
SIGNAL = Signal(
    SPEC,
    phase="gradient",
    cost="light",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
    grouped="sum",
)
