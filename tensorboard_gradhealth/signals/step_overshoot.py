"""Whether a step went too far, told by its own batch."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import Signal, TrialContext
from tensorboard_gradhealth.types import SignalSpec

RESOLUTION = 1e-5
"""Share of the loss below which a change of it is rounding in single precision."""


def measure(context: TrialContext) -> Mapping[str, float]:
    if not context.predicted < -RESOLUTION * abs(context.before):
        return {}  # uphill, or too small a step to tell
    return {"": 1.0 - (context.after - context.before) / context.predicted}


SPEC = SignalSpec(
    name="step_overshoot",
    title="Step overshoot",
    unit="",
    axis="run",
    healthy=(None, 1.0),
    description="1 - (change of the loss) / (gradient x change of the weights), on the step's own "
    "batch: 0 where the loss is a straight line, 0.5 at the best step in this direction, above 1 "
    "where the step made the loss of its own batch larger. Not measured where it went uphill.",
)
SIGNAL = Signal(SPEC, phase="trial", cost="standard", measure=measure)
