"""Whether a step goes too far, told by the curvature."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, float]:
    value = context.found.update_overshoot
    return {} if value is None else {"": value}


SPEC = SignalSpec(
    name="update_overshoot",
    title="Overshoot by curvature",
    unit="",
    axis="run",
    healthy=(None, 1.0),
    description="-(update x Hessian x update) / (2 gradient x update): 0.5 is the best step in "
    "this direction, above 1 the loss of the batch grows. The quadratic twin of "
    "`step_overshoot`.",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
