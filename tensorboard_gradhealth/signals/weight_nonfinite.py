"""NaN and infinity in weights."""

from __future__ import annotations

import tensorflow as tf

from tensorboard_gradhealth.signals._base import Signal, Tensor, UpdateContext, count_if_any
from tensorboard_gradhealth.types import SignalSpec


def measure(context: UpdateContext) -> Tensor:
    return count_if_any(
        context.squared_changes + context.squared_weights,
        lambda: [tf.convert_to_tensor(variable) for variable in context.variables],
    )


SPEC = SignalSpec(
    name="weight_nonfinite",
    title="Non-finite weights",
    unit="elements",
    axis="variable",
    healthy=(None, 0.0),
    description="NaN and infinite elements in each variable after the step.",
)
SIGNAL = Signal(SPEC, phase="update", cost="standard", measure=measure)
