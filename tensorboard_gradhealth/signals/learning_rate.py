"""The learning rate that the step was taken with."""

from __future__ import annotations

from tensorboard_gradhealth.signals._base import Signal, StepContext, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: StepContext) -> Tensor:
    return context.learning_rate


SPEC = SignalSpec(
    name="learning_rate",
    title="Learning rate",
    unit="",
    axis="run",
    scale="log",
    description="Learning rate of the optimizer at each step, schedules applied.",
)
SIGNAL = Signal(SPEC, phase="step", cost="light", measure=measure, measure_numpy=measure)
