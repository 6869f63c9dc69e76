"""The loss of the batch that the step was taken on."""

from __future__ import annotations

from tensorboard_gradhealth.signals._base import Signal, StepContext, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: StepContext) -> Tensor:
    return context.loss


SPEC = SignalSpec(
    name="loss",
    title="Loss",
    unit="",
    axis="run",
    scale="log",
    description="Loss of each training batch, with regularisation, before loss scaling. Not "
    "Keras' running mean over the epoch.",
)
SIGNAL = Signal(SPEC, phase="step", cost="light", measure=measure, measure_numpy=measure)
