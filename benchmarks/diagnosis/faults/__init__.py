"""What people do wrong: each fault is a healthy `Setup` with one thing changed.

What a fault must be called was decided from what was done to the training, not from what any rule
said about it. A fault is injected only where most of the runs with it end clearly worse in
validation than their healthy twins.
"""

from __future__ import annotations

from benchmarks.diagnosis.faults import learning, numbers, outputs, samples, steps, weights
from benchmarks.diagnosis.faults._base import Fault

__all__ = ["EARLY", "FAULTS", "Fault"]

FAULTS: tuple[Fault, ...] = (
    *outputs.FAULTS,
    *samples.FAULTS,
    *steps.FAULTS,
    *weights.FAULTS,
    *numbers.FAULTS,
    *learning.FAULTS,
)

EARLY: dict[str, frozenset[str]] = {
    kind: frozenset(fault.name for fault in module.FAULTS)
    for kind, module in {
        "input and labels": samples,
        "output and loss": outputs,
        "weights and activations": weights,
        "learning rate": steps,
    }.items()
}
"""Names of the faults that are in the training from its start, by what they are faults of."""
