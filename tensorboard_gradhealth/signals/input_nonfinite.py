"""NaN and infinity among the model's inputs."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import (
    Array,
    Signal,
    StepContext,
    Tensor,
    count_if_any,
    nonfinite_elements,
)
from tensorboard_gradhealth.types import SignalSpec


def measure(context: StepContext) -> Tensor:
    if not context.inputs:
        return None
    sums = tf.stack([tf.reduce_sum(tf.cast(x, tf.float32)) for x in context.inputs])
    return tf.reduce_sum(count_if_any(sums, lambda: context.inputs))


def measure_numpy(context: StepContext) -> Array | None:
    if not context.inputs:
        return None
    return np.sum([nonfinite_elements(x) for x in context.inputs])


SPEC = SignalSpec(
    name="input_nonfinite",
    title="Non-finite inputs",
    unit="elements",
    axis="run",
    healthy=(None, 0.0),
    description="NaN and infinite elements in the input batch.",
)
SIGNAL = Signal(
    SPEC,
    phase="step",
    cost="light",
    measure=measure,
    measure_numpy=measure_numpy,
    merge="sum",
)
