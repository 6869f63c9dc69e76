"""What a signal may look at: one context for each phase of a training step, and beside it.

The arrays in a context are TensorFlow's tensors, or NumPy's arrays for a `measure_numpy`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._norm import half_squared_norm, squared_norm_numpy

if TYPE_CHECKING:
    from tensorboard_gradhealth.curvature import Curvature

Tensor = Any
Array = Any


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


def _values(gradient: Tensor) -> Tensor:
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    # The same row may appear many times; its parts must be added before they are squared.
    rows, positions = tf.unique(gradient.indices)
    return tf.math.unsorted_segment_sum(gradient.values, positions, tf.size(rows))
