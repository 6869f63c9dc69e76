"""How far the learning rate is from the edge of stability."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, float]:
    return {} if context.margin is None else {"": context.margin}


SPEC = SignalSpec(
    name="stability_margin",
    title="Stability margin",
    unit="",
    axis="run",
    scale="log",
    description="Sharpness divided by the largest one that the optimizer bears at its learning "
    "rate; the run's facts name that limit. Healthy training often stays near 1, the "
    "edge of stability; well above 1 for long, it diverges along the sharpest "
    "direction.",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
