"""How sharply the loss bends where it bends most."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, list[float]]:
    eigenvalue = context.found.top
    value, residual = eigenvalue.value, eigenvalue.residual
    return {"": [value, value - residual, value + residual]}


SPEC = SignalSpec(
    name="hessian_top_eigenvalue",
    title="Sharpness",
    unit="loss / parameter²",
    axis="run",
    scale="log",
    description="Largest eigenvalue of the Hessian of a batch's loss, by Lanczos; minimum and "
    "maximum are the bounds of its residual. Gradient descent is stable up to 2 / "
    "learning rate (Cohen et al. 2021, https://arxiv.org/abs/2103.00065).",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
