"""How the loss bends along the step that was taken."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, float]:
    value = context.found.update_curvature
    return {} if value is None else {"": value}


SPEC = SignalSpec(
    name="update_curvature",
    title="Curvature along the update",
    unit="loss / parameter²",
    axis="run",
    description="Update x Hessian x update, divided by the squared norm of the update, on the "
    "step's batch.",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
