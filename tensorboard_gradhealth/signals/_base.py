"""What a signal is, and what it may look at.

A signal is a module of this package that exports `SIGNAL`. It measures one quantity inside the
training step, for all rows of its axis at once, from one of the contexts below. It must be made
of plain TensorFlow ops without side effects, because it is traced into the user's step and may
be compiled by XLA.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import tensorflow as tf

from tensorboard_gradhealth.types import SignalSpec

Tensor = Any
Phase = Literal["step", "gradient", "update", "activation", "feature", "class"]
Cost = Literal["light", "standard"]


@dataclasses.dataclass(frozen=True)
class Signal:
    """A quantity and how it is measured.

    Attributes:
      spec: What it is; goes into the log.
      phase: Which context `measure` takes.
      cost: The cheapest preset that includes it.
      measure: Context to float32 tensor: `[]` for phase `step` and `activation`, `[rows]` for
        `gradient` and `update`, the new `[rows, fields]` for `feature` and `class`; `None` where
        the context lacks what the signal needs.
    """

    spec: SignalSpec
    phase: Phase
    cost: Cost
    measure: Callable[[Any], Tensor]


@dataclasses.dataclass(frozen=True)
class StepContext:
    """One training step as a whole: scalar tensors, `None` where the step has no such thing."""

    loss: Tensor | None = None
    learning_rate: Tensor | None = None
    squared_norms: Tensor | None = None  # float32 [V], of the gradients
    inputs: Sequence[Tensor] = ()


@dataclasses.dataclass(frozen=True)
class GradientContext:
    """The gradients of one optimizer call, before clipping; no `None` among them."""

    gradients: Sequence[Tensor]

    @functools.cached_property
    def values(self) -> list[Tensor]:
        """The same gradients, dense or as the summed rows of an `IndexedSlices`."""
        return [_values(gradient) for gradient in self.gradients]

    @functools.cached_property
    def squared_norms(self) -> Tensor:
        """float32 `[V]`: squared Euclidean norm of each gradient."""
        return tf.stack([squared_norm(value) for value in self.values])


@dataclasses.dataclass(frozen=True)
class UpdateContext:
    """The weight changes of one optimizer call.

    Attributes:
      squared_changes: float32 `[V]`: squared norm of each variable's change.
      squared_weights: float32 `[V]`: squared norm of each variable before the change.
      variables: The V variables, which now hold their new values.
    """

    squared_changes: Tensor
    squared_weights: Tensor
    variables: Sequence[Any]


@dataclasses.dataclass(frozen=True)
class ActivationContext:
    """One activation function in one step.

    Attributes:
      outputs: `[batch, ..., units]`, of the whole batch.
      sample_inputs: float32 `[k, ..., units]`: what went into the function for k samples of the
        batch; `None` if it is not known.
      sample_outputs: float32 `[k, ..., units]`: what came out for the same samples.
      sample_slopes: float32 `[k, ..., units]`: the derivative there; `None` if not known.
      steepest: Largest absolute slope of the function anywhere; `None` if not known.
      silent_samples: float32 `[units]`: how many samples in a row each unit has now been silent
        for; `None` without a memory of earlier steps.
    """

    outputs: Tensor
    sample_inputs: Tensor | None
    sample_outputs: Tensor
    sample_slopes: Tensor | None
    steepest: float | None = None
    silent_samples: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class RunningContext:
    """Samples to be added to statistics that run over the whole training.

    Attributes:
      samples: float32 `[n, rows]`.
      before: float32 `[rows, fields]`: the statistics so far, all zero at first.
    """

    samples: Tensor
    before: Tensor


def squared_norm(value: Tensor) -> Tensor:
    """Returns the sum of squares as a float32 scalar."""
    # One fused kernel; 16-bit floats are widened because their squares overflow above 256.
    return 2.0 * tf.nn.l2_loss(tf.cast(value, tf.float32))


def nonfinite_count(value: Tensor) -> Tensor:
    """Returns the number of NaN and infinite elements as a float32 scalar."""
    return tf.reduce_sum(tf.cast(~tf.math.is_finite(value), tf.float32))


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
        lambda: tf.stack([nonfinite_count(value) for value in values()]),
    )


def _values(gradient: Tensor) -> Tensor:
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    # The same row may appear many times; its parts must be added before they are squared.
    rows, positions = tf.unique(gradient.indices)
    return tf.math.unsorted_segment_sum(gradient.values, positions, tf.size(rows))
