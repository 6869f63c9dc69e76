"""What a signal is; a module that defines one imports from here all that it takes.

A signal is a module of this package that exports `SIGNAL`. It measures one quantity inside the
training step, for all rows of its axis at once, from one of the contexts of `_contexts`. It must be
made of plain TensorFlow ops without side effects, because it is traced into the user's step and may
be compiled by XLA.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._contexts import (
    ActivationContext,
    Array,
    CurvatureContext,
    DirectionContext,
    EpochContext,
    GradientContext,
    HalvesContext,
    NumpyGradientContext,
    OptimizerContext,
    OutputContext,
    PredictionContext,
    RunningContext,
    StepContext,
    Tensor,
    TrialContext,
    UpdateContext,
)
from tensorboard_gradhealth.signals._norm import squared_norm_numpy
from tensorboard_gradhealth.types import SignalSpec

__all__ = [
    "ActivationContext",
    "Array",
    "Cadence",
    "Cost",
    "CurvatureContext",
    "DirectionContext",
    "EpochContext",
    "GradientContext",
    "Grouped",
    "HalvesContext",
    "Merge",
    "NumpyGradientContext",
    "OptimizerContext",
    "OutputContext",
    "Phase",
    "PredictionContext",
    "RunningContext",
    "Signal",
    "StepContext",
    "Tensor",
    "TrialContext",
    "UpdateContext",
    "count_if_any",
    "nonfinite_elements",
    "squared_norm_numpy",
]

Phase = Literal[
    "start",
    "step",
    "gradient",
    "optimizer",
    "update",
    "direction",
    "output",
    "activation",
    "prediction",
    "feature",
    "class",
    "epoch",
    "trial",
    "halves",
    "curvature",
]
Cadence = Literal["step", "sample"]
Cost = Literal["light", "standard", "full"]
Merge = Literal["mean", "sum", "min"]
Grouped = Literal["mean", "rms", "sum", "norm", "ratio", "growth", "pooled"]
"""What the values of several variables or activations come to in one row.

`mean` and `rms` are over all of their elements or units, `norm` is the root of the sum of squares.
`ratio` is that of the norm of all changes to the norm of all weights; `growth` that of the norm of
all weights to what it was. `pooled` are mean, standard deviation, minimum, maximum and share of
zeros of all elements together.
"""


@dataclasses.dataclass(frozen=True)
class Signal:
    """A quantity and how it is measured.

    Attributes:
      spec: What it is; goes into the log.
      phase: Which context `measure` takes.
      cost: The cheapest preset that includes it.
      measure: Context to float32 tensor: `[]` for phases `step` and `optimizer`, the new
        `[rows, fields]` for `feature` and `class`, `[rows]` for the others; `None` where the
        context lacks what the signal needs. For `epoch`, `trial`, `halves` and `curvature`, which
        come from the host, a dictionary of row name to number, `""` for the whole run; for `start`
        float `[fields]` of one variable.
      measure_numpy: The same over contexts of NumPy arrays; `None` if only TensorFlow can do it.
      cadence: `step` if it is cheap enough for every step; `sample` if, once the first steps are
        over, one step in several has to do.
      merge: What the values of several replicas come to, each of which sees a part of the batch.
      grouped: What the values of several rows come to, where rows are grouped.
    """

    spec: SignalSpec
    phase: Phase
    cost: Cost
    measure: Callable[[Any], Tensor]
    measure_numpy: Callable[[Any], Array | None] | None = None
    cadence: Cadence = "step"
    merge: Merge = "mean"
    grouped: Grouped = "mean"


def nonfinite_elements(value: Array) -> int:
    """Returns how many elements of a NumPy array are NaN or infinite."""
    return int(np.count_nonzero(~np.isfinite(value)))


def count_if_any(suspects: Tensor, values: Callable[[], Sequence[Tensor]]) -> Tensor:
    """Counts non-finite elements, at no cost while there are none.

    Args:
      suspects: float32 `[n]`: a reduction of each value that cannot be finite if an element is not.
      values: Returns the n tensors; called only where the counting branch is traced.

    Returns:
      float32 `[n]`.
    """
    return tf.cond(
        tf.reduce_all(tf.math.is_finite(suspects)),
        lambda: tf.zeros_like(suspects),
        lambda: _nonfinite_counts(values()),
    )


def _nonfinite_counts(values: Sequence[Tensor]) -> Tensor:
    # Few ops for many values, because all of them are traced in every training that never needs
    # them: one long row of marks, whose running sum is read where each value ends.
    flat = [tf.reshape(tf.cast(value, tf.float32), [-1]) for value in values]
    ends = tf.cumsum(tf.stack([tf.size(value) for value in flat]))
    marks = tf.cast(~tf.math.is_finite(tf.concat(flat, axis=0)), tf.int32)
    totals = tf.gather(tf.concat([[0], tf.cumsum(marks)], axis=0), ends)
    return tf.cast(totals - tf.concat([[0], totals[:-1]], axis=0), tf.float32)
