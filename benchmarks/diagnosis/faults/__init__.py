"""What people do wrong: each fault is a healthy `Setup` with one thing changed.

What a fault must be called was decided from what was done to the training, not from what any rule
said about it.
"""

from __future__ import annotations

from benchmarks.diagnosis.faults import learning, numbers, outputs, samples, steps, weights
from benchmarks.diagnosis.faults._base import Fault

__all__ = ["FAULTS", "Fault"]

FAULTS: tuple[Fault, ...] = (
    *outputs.FAULTS,
    *samples.FAULTS,
    *steps.FAULTS,
    *weights.FAULTS,
    *numbers.FAULTS,
    *learning.FAULTS,
)
