"""Which variables the loss bends along."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, list[float]]:
    trace = context.found.trace
    parts = zip(context.names, trace.parts.tolist(), trace.part_errors.tolist(), strict=True)
    return {name: [value, value - error, value + error] for name, value, error in parts}


SPEC = SignalSpec(
    name="hessian_layer_trace",
    title="Hessian trace by variable",
    unit="loss / parameter²",
    axis="variable",
    description="Part of the trace of the Hessian that belongs to each variable; minimum and "
    "maximum are one standard error away.",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure, grouped="sum")
