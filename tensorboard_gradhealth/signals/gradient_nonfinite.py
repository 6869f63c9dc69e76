"""NaN and infinity in gradients."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.signals._base import (
    Array,
    GradientContext,
    Signal,
    Tensor,
    count_if_any,
    nonfinite_elements,
)
from tensorboard_gradhealth.types import SignalSpec


def measure(context: GradientContext) -> Tensor:
    return count_if_any(context.squared_norms, lambda: context.values)


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
)
