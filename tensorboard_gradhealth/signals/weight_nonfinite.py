"""NaN and infinity in weights."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import (
    Array,
    Signal,
    Tensor,
    UpdateContext,
    count_if_any,
    nonfinite_elements,
)
from tensorboard_gradhealth.types import SignalSpec


def measure(context: UpdateContext) -> Tensor:
    return count_if_any(
        context.squared_changes + context.squared_weights,
        lambda: [tf.convert_to_tensor(variable) for variable in context.variables],
    )


def measure_numpy(context: UpdateContext) -> Array:
    return np.array([nonfinite_elements(variable) for variable in context.variables])


SPEC = SignalSpec(
    name="weight_nonfinite",
    title="Non-finite weights",
    unit="elements",
    axis="variable",
    healthy=(None, 0.0),
    description="NaN and infinite elements in each variable after the step.",
)
SIGNAL = Signal(
    SPEC,
    phase="update",
    cost="standard",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
    grouped="sum",
)
