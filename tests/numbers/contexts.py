"""What signals look at, made from plain arrays; so that a new signal is tested as it is found.

Everything is made from V arrays of equal shape `[n, units]`: gradients, weights, activations or
samples, whichever the phase looks at. What else it needs is computed from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import (
    ActivationContext,
    DirectionContext,
    GradientContext,
    NumpyGradientContext,
    OptimizerContext,
    OutputContext,
    PredictionContext,
    RunningContext,
    Signal,
    StepContext,
    UpdateContext,
    squared_norm_numpy,
)
from tensorboard_gradhealth.signals._norm import squared_norm
from tensorboard_gradhealth.signals.dead_fraction import silent_units_numpy

Arrays = Sequence[np.ndarray]
Convert = Callable[[Any], Any]

FIELDS = {signal.spec.name: len(signal.spec.fields) for signal in all_signals()}


@dataclasses.dataclass(frozen=True)
class Maker:
    """Makes the contexts of one kind: tensors, arrays of NumPy, or these in float64.

    Attributes:
      convert: Makes a tensor or an array of what it is given.
      square: Sum of squares of one.
    """

    convert: Convert
    square: Convert
    gradients: Callable[[Any], Any]

    def context(self, phase: str, arrays: Arrays, scale: float = 1.0) -> Any:
        """Returns a context; `scale` is what the arrays were multiplied by, for limits of them."""
        return _MAKERS[phase](self, arrays, scale)

    def stack(self, values: Sequence[Any]) -> Any:
        return self.convert(np.asarray(values))

    def squares(self, arrays: Arrays) -> Any:
        return self.convert(np.array([np.asarray(self.square(self.convert(a))) for a in arrays]))


TENSORS = Maker(
    tf.constant, squared_norm, lambda values: GradientContext([tf.constant(v) for v in values])
)
ARRAYS = Maker(np.asarray, squared_norm_numpy, NumpyGradientContext)
DOUBLES = Maker(
    lambda value: np.asarray(value, np.float64 if np.asarray(value).dtype.kind == "f" else None),
    squared_norm_numpy,
    lambda values: NumpyGradientContext([np.asarray(v, np.float64) for v in values]),
)


def after(array: np.ndarray) -> np.ndarray:
    """Weights after a step that turns and shrinks them."""
    return (array * array.dtype.type(0.75)).astype(array.dtype)


def _step(make: Maker, arrays: Arrays, scale: float) -> StepContext:
    first = np.float32(np.ravel(arrays[0])[0] if arrays[0].size else 0)
    inputs = [make.convert(array) for array in arrays]
    return StepContext(make.convert(first), make.convert(first), make.squares(arrays), inputs)


def _gradient(make: Maker, arrays: Arrays, scale: float) -> Any:
    return make.gradients(arrays)


def _optimizer(make: Maker, arrays: Arrays, scale: float) -> OptimizerContext:
    gradients = [make.convert(array) for array in arrays]
    return OptimizerContext(gradients, global_clipnorm=scale, skipped=make.convert(False))


def _update(make: Maker, arrays: Arrays, scale: float) -> UpdateContext:
    changes = make.squares([after(array) - array for array in arrays])
    weights = make.squares(arrays)
    variables = [make.convert(after(array)) for array in arrays]
    return UpdateContext(
        changes, weights, variables, first_squared_weights=weights, predicted=-changes
    )


def _direction(make: Maker, arrays: Arrays, scale: float) -> DirectionContext:
    before = np.concatenate([np.ravel(array) for array in arrays])
    change = np.concatenate(
        [np.ravel(after(array) - 0.5 * np.roll(array, 1, axis=1)) for array in arrays]
    )
    owners = np.repeat(np.arange(len(arrays)), [array.size for array in arrays])
    return DirectionContext(
        make.convert(before), make.convert(change.astype(before.dtype)), owners, len(arrays)
    )


def _output(make: Maker, arrays: Arrays, scale: float) -> OutputContext:
    return OutputContext.of([make.convert(array) for array in arrays])


def _activation(make: Maker, arrays: Arrays, scale: float) -> ActivationContext:
    inputs = np.stack(arrays)
    outputs = np.maximum(inputs, 0)
    slopes = np.where(inputs > 0, 1, 0).astype(inputs.dtype)
    silent = 512.0 * silent_units_numpy(outputs).astype(np.float32)
    parts = (make.convert(part) for part in (inputs, outputs, slopes))
    return ActivationContext(*parts, steepest=1.0, silent_samples=make.convert(silent))


def _prediction(make: Maker, arrays: Arrays, scale: float) -> PredictionContext:
    labels = make.convert(np.zeros(len(arrays[0]), np.int32))
    return PredictionContext("sparse_categorical_crossentropy", labels, make.convert(arrays[0]))


def _feature(make: Maker, arrays: Arrays, scale: float) -> RunningContext:
    before = np.zeros((arrays[0].shape[1], FIELDS["input_features"]), np.float32)
    return RunningContext(make.convert(arrays[0]), make.convert(before))


def _class(make: Maker, arrays: Arrays, scale: float) -> RunningContext:
    units = arrays[0].shape[1]
    labels = np.eye(units, dtype=np.float32)[np.argmax(arrays[0], axis=1)]
    return RunningContext(
        make.convert(labels), make.convert(np.zeros((units, FIELDS["label_counts"]), np.float32))
    )


_MAKERS: dict[str, Callable[[Maker, Arrays, float], Any]] = {
    "step": _step,
    "gradient": _gradient,
    "optimizer": _optimizer,
    "update": _update,
    "direction": _direction,
    "output": _output,
    "activation": _activation,
    "prediction": _prediction,
    "feature": _feature,
    "class": _class,
}

ON_THE_HOST = ("start", "epoch", "trial", "halves", "curvature")
"""Phases that hand in numbers of the host, not tensors."""

IN_THE_STEP = [signal for signal in all_signals() if signal.phase in _MAKERS]


def measure(signal: Signal, arrays: Arrays, scale: float = 1.0) -> np.ndarray:
    """Returns what a signal measures: float `[]`, `[rows]` or `[rows, fields]`."""
    return np.asarray(signal.measure(TENSORS.context(signal.phase, arrays, scale)))


def ordered_by_array(signal: Signal) -> bool:
    """Whether the rows of a signal are the arrays, one by one."""
    return signal.spec.axis in ("variable", "activation")


def ordered_by_column(signal: Signal) -> bool:
    """Whether the rows of a signal are the columns of an array."""
    return signal.spec.axis in ("feature", "class")
