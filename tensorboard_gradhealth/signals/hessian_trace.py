"""How much the loss bends in all directions together."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, list[float]]:
    trace = context.found.trace
    return {"": [trace.value, trace.value - trace.error, trace.value + trace.error]}


SPEC = SignalSpec(
    name="hessian_trace",
    title="Hessian trace",
    unit="loss / parameter²",
    axis="run",
    description="Sum of all eigenvalues of the Hessian of a batch's loss, by random vectors "
    "(Hutchinson 1989); minimum and maximum are one standard error away.",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
