"""How sharply the loss bends downwards."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, list[float]]:
    eigenvalue = context.found.lowest
    value, residual = eigenvalue.value, eigenvalue.residual
    return {"": [value, value - residual, value + residual]}


SPEC = SignalSpec(
    name="hessian_lowest_eigenvalue",
    title="Most negative curvature",
    unit="loss / parameter²",
    axis="run",
    description="Smallest eigenvalue of the Hessian of a batch's loss, by Lanczos; minimum and "
    "maximum are the bounds of its residual. Well below zero, training is near a "
    "saddle.",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
