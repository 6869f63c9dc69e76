"""The batch size at which noise and signal of the gradient are equal.

McCandlish, Kaplan, Amodei and OpenAI Dota team (2018), "An Empirical Model of Large-Batch
Training", https://arxiv.org/abs/1812.06162, appendix A.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import HalvesContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: HalvesContext) -> Mapping[str, float]:
    signal = sum(context.signal.values())
    # An estimate of a square may come out negative: then it is too small to tell from noise.
    return {"": sum(context.noise.values()) / signal} if not signal <= 0.0 else {}


SPEC = SignalSpec(
    name="gradient_noise_scale",
    title="Gradient noise scale",
    unit="examples",
    axis="run",
    scale="log",
    description="Trace of the covariance of one example's gradient divided by the squared norm of "
    "the gradient: batches much smaller than this mostly average out noise, batches much larger "
    "are spent on a gradient that is known already. Mean over the last probes.",
)
SIGNAL = Signal(SPEC, phase="halves", cost="full", measure=measure)
