"""How much the loss bends in a typical direction."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, float]:
    return {"": context.found.mean_curvature}


SPEC = SignalSpec(
    name="mean_curvature",
    title="Mean curvature",
    unit="loss / parameter²",
    axis="run",
    description="Trace of the Hessian divided by the number of parameters: the average eigenvalue.",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
