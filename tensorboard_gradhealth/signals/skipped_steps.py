"""How often a step is skipped because the scaled loss overflowed."""

from __future__ import annotations

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import OptimizerContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: OptimizerContext) -> Tensor:
    return None if context.skipped is None else tf.cast(context.skipped, tf.float32)


SPEC = SignalSpec(
    name="skipped_steps",
    title="Skipped steps",
    unit="",
    axis="run",
    description="Share of the steps that loss scaling skipped because a 16-bit gradient "
    "overflowed. A few at the start, and one now and then, are part of how it works.",
)
SIGNAL = Signal(SPEC, phase="optimizer", cost="light", measure=measure)
