"""How much of one example's gradient is signal, for each variable.

Liu, Bai, Jiang, Chen and Wang (2020), "Understanding Why Neural Networks Generalize Well Through
GSNR of Parameters", https://arxiv.org/abs/2001.07384; here over a variable instead of one weight.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import HalvesContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: HalvesContext) -> Mapping[str, float]:
    return {
        name: signal / context.noise[name]
        for name, signal in context.signal.items()
        if not (signal <= 0.0 or context.noise[name] <= 0.0)
    }


SPEC = SignalSpec(
    name="gradient_snr",
    title="Gradient signal-to-noise ratio",
    unit="",
    axis="variable",
    scale="log",
    description="Squared norm of each variable's gradient divided by the trace of the covariance "
    "of one example's gradient. Mean over the last probes; not measured where it is too small to "
    "tell from noise.",
)
SIGNAL = Signal(SPEC, phase="halves", cost="full", measure=measure)
