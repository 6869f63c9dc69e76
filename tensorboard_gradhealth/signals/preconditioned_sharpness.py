"""Sharpness as an adaptive optimizer feels it."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import CurvatureContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: CurvatureContext) -> Mapping[str, list[float]]:
    eigenvalue = context.found.preconditioned
    if eigenvalue is None:
        return {}
    value, residual = eigenvalue.value, eigenvalue.residual
    return {"": [value, value - residual, value + residual]}


SPEC = SignalSpec(
    name="preconditioned_sharpness",
    title="Preconditioned sharpness",
    unit="",
    axis="run",
    scale="log",
    description="Largest eigenvalue of the Hessian between the inverse roots of what the "
    "optimizer divides by; Adam is stable up to (2 + 2 beta_1) / ((1 - beta_1) "
    "learning rate) (Cohen et al. 2022, https://arxiv.org/abs/2207.14484).",
)
SIGNAL = Signal(SPEC, phase="curvature", cost="full", measure=measure)
