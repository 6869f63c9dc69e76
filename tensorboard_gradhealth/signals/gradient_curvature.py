"""How the loss bends along the gradient."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, float]:
    value = context.found.gradient_curvature
    return {} if value is None else {"": value}


SPEC = SignalSpec(
    name="gradient_curvature",
    title="Curvature along the gradient",
    unit="loss / parameter²",
    axis="run",
    description="Gradient x Hessian x gradient, divided by the squared norm of the gradient, on "
    "one batch.",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
