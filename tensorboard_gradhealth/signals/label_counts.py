"""How often each class was seen as a label."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import Array, RunningContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: RunningContext) -> Tensor:
    return context.before + tf.reduce_sum(context.samples, axis=0)[:, tf.newaxis]


def measure_numpy(context: RunningContext) -> Array:
    return context.before + np.sum(context.samples, axis=0)[:, np.newaxis]


SPEC = SignalSpec(
    name="label_counts",
    title="Labels",
    unit="samples",
    axis="class",
    fields=("count",),
    description="How many of the samples looked at so far carried each class.",
)
SIGNAL = Signal(
    SPEC,
    phase="class",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
)
