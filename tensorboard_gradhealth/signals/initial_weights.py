"""What each variable holds before the first step: too large, too small, all alike?"""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.signals._base import Array, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(weights: Array) -> Array:
    """Returns float32 `[fields]` of one variable's weights, an array of any shape."""
    # Of many or 16-bit weights a sum in their own precision would be too coarse.
    values = np.asarray(weights, np.float64)
    if not values.size:
        return np.zeros(len(SPEC.fields), np.float32)
    with np.errstate(all="ignore"):  # NaN and infinity among the weights are carried on
        zeros = np.count_nonzero(values == 0) / values.size
        fields = values.mean(), values.std(), values.min(), values.max(), zeros
        return np.array(fields, np.float32)


SPEC = SignalSpec(
    name="initial_weights",
    title="Initial weights",
    unit="parameter",
    axis="variable",
    fields=("mean", "std", "min", "max", "zero_fraction"),
    description="Mean, standard deviation and range of each variable before the first step, and "
    "the share of its elements that are exactly 0.",
)
SIGNAL = Signal(SPEC, phase="start", cost="standard", measure=measure, grouped="pooled")
