"""By how much the update of each variable should have changed the loss."""

from __future__ import annotations

from tensorboard_gradhealth.signals._base import Signal, Tensor, UpdateContext
from tensorboard_gradhealth.types import SignalSpec


def measure(context: UpdateContext) -> Tensor:
    return context.predicted


SPEC = SignalSpec(
    name="predicted_change",
    title="Predicted loss change",
    unit="loss",
    axis="variable",
    healthy=(None, 0.0),
    description="Product of each variable's gradient and its change in the step: by how much the "
    "loss would change if it were a straight line. Positive where momentum carries a variable "
    "uphill; all variables together are what `step_overshoot` holds the real change against.",
)
SIGNAL = Signal(
    SPEC, phase="update", cost="standard", measure=measure, cadence="sample", grouped="sum"
)
