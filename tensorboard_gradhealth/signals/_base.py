"""What a signal is, and what it may look at.

A signal is a module of this package that exports `SIGNAL`. It measures one quantity inside the
training step, for all rows of its axis at once, from one of the contexts below. It must be made
of plain TensorFlow ops without side effects, because it is traced into the user's step and may
be compiled by XLA.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._norm import half_squared_norm
from tensorboard_gradhealth.types import SignalSpec

if TYPE_CHECKING:
    from tensorboard_gradhealth.curvature import Curvature

Tensor = Any
Array = Any
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


@dataclasses.dataclass(frozen=True)
class StepContext:
    """One training step as a whole: scalar tensors, `None` where the step has no such thing."""

    loss: Tensor | None = None
    learning_rate: Tensor | None = None
    squared_norms: Tensor | None = None  # float32 [V], of the gradients; may be NOT_MEASURED
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
    def half_squared_norms(self) -> list[Tensor]:
        """float32 `[]` each: half the squared norm of a gradient, known as soon as that is."""
        return [half_squared_norm(value) for value in self.values]

    @functools.cached_property
    def squared_norms(self) -> Tensor:
        """float32 `[V]`: squared Euclidean norm of each gradient."""
        return 2.0 * tf.stack(self.half_squared_norms)


@dataclasses.dataclass(frozen=True)
class OptimizerContext:
    """What an optimizer does with its gradients before it changes weights.

    Attributes:
      gradients: What it is about to clip; `None` where it clips nothing.
      clipnorm: Limit of each gradient's norm; `None` or 0 if there is none, as with the others.
      global_clipnorm: Limit of the norm of all gradients together.
      clipvalue: Limit of each element's size.
      skipped: bool `[]`: whether it left the weights alone because the scaled loss overflowed;
        `None` where it never does.
    """

    gradients: Sequence[Tensor | None] | None = None
    clipnorm: float | None = None
    global_clipnorm: float | None = None
    clipvalue: float | None = None
    skipped: Tensor | None = None


class NumpyGradientContext(GradientContext):
    """The same of NumPy arrays."""

    @functools.cached_property
    def values(self) -> list[Array]:
        return list(self.gradients)

    @functools.cached_property
    def squared_norms(self) -> Array:
        return np.array([squared_norm_numpy(value) for value in self.gradients])


@dataclasses.dataclass(frozen=True)
class UpdateContext:
    """The weight changes of one optimizer call.

    Attributes:
      squared_changes: float32 `[V]`: squared norm of each variable's change.
      squared_weights: float32 `[V]`: squared norm of each variable before the change.
      variables: The V variables, which now hold their new values.
      whole: bool `[]`: whether nothing else changes the variables in this step.
      first_squared_weights: float32 `[V]`: squared norm of each variable when it was first
        measured; `None` without a memory of earlier steps.
      predicted: float32 `[V]`: product of each variable's gradient and change; `None` if it is not
        known.
    """

    squared_changes: Tensor
    squared_weights: Tensor
    variables: Sequence[Any]
    whole: Tensor | bool = True
    first_squared_weights: Tensor | None = None
    predicted: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class DirectionContext:
    """What two steps in a row did to n elements of V variables.

    Attributes:
      before: float32 `[n]`: change in the step before.
      change: float32 `[n]`: change in this step.
      owners: int `[n]`: which variable each element is of.
      variables: V.
    """

    before: Tensor
    change: Tensor
    owners: Any
    variables: int


@dataclasses.dataclass(frozen=True)
class OutputContext:
    """What A activation functions put out in one step.

    Attributes:
      outputs: A functions that return them in full, `[batch, ..., units]`.
      sound: bool `[]`: whether all of them must be finite, because the loss that they led to is;
        `None` if that is not known.
    """

    outputs: Sequence[Callable[[], Tensor]]
    sound: Tensor | None = None

    @classmethod
    def of(cls, outputs: Sequence[Tensor], sound: Tensor | None = None) -> OutputContext:
        """Makes a context of outputs that are there."""
        return cls([functools.partial(_itself, tensor) for tensor in outputs], sound)


def _itself(tensor: Tensor) -> Tensor:
    return tensor


@dataclasses.dataclass(frozen=True)
class ActivationContext:
    """A sample of what went into and came out of A activations of equal shape in one step.

    Attributes:
      inputs: float32 `[A, n, units]`: what went into the function; `None` if it is not known.
      outputs: float32 `[A, n, units]`: what came out.
      slopes: float32 `[A, n, units]`: the derivative there; `None` if it is not known.
      steepest: Largest absolute slope of the function anywhere; `None` if it is not known.
      silent_samples: float32 `[A, units]`: how many samples in a row each unit has now been
        silent for; `None` without a memory of earlier steps.
    """

    inputs: Tensor | None
    outputs: Tensor
    slopes: Tensor | None
    steepest: float | None = None
    silent_samples: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class PredictionContext:
    """The outputs of a model in one step, beside what they should have been.

    Attributes:
      loss: Name of the loss function, in snake_case.
      labels: `[batch, ...]`, as the loss takes them.
      outputs: `[batch, ..., units]`.
      from_logits: Whether the loss takes the outputs for logits.
    """

    loss: str
    labels: Tensor
    outputs: Tensor
    from_logits: bool = False


@dataclasses.dataclass(frozen=True)
class EpochContext:
    """What an epoch or an evaluation ended with.

    Attributes:
      metrics: Numbers by name; those of the validation data begin with `val_`, as in Keras.
    """

    metrics: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class TrialContext:
    """The loss of one batch before and after the step that was taken on it.

    Attributes:
      before: The loss at the weights before the step.
      after: The loss at the weights after it, of the same batch with the same dropout.
      predicted: The product of gradient and change, over all variables.
    """

    before: float
    after: float
    predicted: float


@dataclasses.dataclass(frozen=True)
class HalvesContext:
    """What gradients of half batches say of their noise, as means over the last probes.

    Attributes:
      signal: By variable, an unbiased estimate of the squared norm of the true gradient.
      noise: By variable, an estimate of the trace of the covariance of one example's gradient.
    """

    signal: Mapping[str, float]
    noise: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class CurvatureContext:
    """What a probe of the loss's second derivatives found.

    Attributes:
      found: The findings of the probe.
      names: Rows of the variables that it differentiated by.
      margin: Sharpness divided by the optimizer's limit; `None` if it has none.
    """

    found: Curvature
    names: Sequence[str]
    margin: float | None = None


@dataclasses.dataclass(frozen=True)
class RunningContext:
    """Samples to be added to statistics that run over the whole training.

    Attributes:
      samples: float32 `[n, rows]`.
      before: float32 `[rows, fields]`: the statistics so far, all zero at first.
    """

    samples: Tensor
    before: Tensor


def squared_norm_numpy(value: Array) -> float:
    """Returns the sum of squares of a NumPy array."""
    return float(np.sum(np.square(value, dtype=np.float64)))


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


def _values(gradient: Tensor) -> Tensor:
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    # The same row may appear many times; its parts must be added before they are squared.
    rows, positions = tf.unique(gradient.indices)
    return tf.math.unsorted_segment_sum(gradient.values, positions, tf.size(rows))
