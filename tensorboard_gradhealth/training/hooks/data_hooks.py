"""Looks at the batches that a Keras model is trained on: scale of inputs, classes of labels."""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.naming import feature_rows
from tensorboard_gradhealth.signals._base import PredictionContext
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.model import keras_model
from tensorboard_gradhealth.types import Row

Tensor = Any

MAX_CLASSES = 4096
SAMPLE_ELEMENTS = 2**18
"""About how many elements of an input are looked at in a step."""
REGRESSION_LOSSES = frozenset(
    {
        "mse",
        "mean_squared_error",
        "mae",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "huber",
        "log_cosh",
    }
)


class DataHooks:
    """Measures inputs and labels of the step under way.

    Attributes:
      weighted: Whether the loss weighs samples: by `sample_weight`, which `class_weight` becomes.
      unseen: Why labels and predictions are not measured, "" where they are.
    """

    def __init__(self, model: keras.Model, instrument: Instrument) -> None:
        self.weighted = False
        self.unseen = "the step does not call `compute_loss`, which is told of labels"
        self._instrument = instrument
        self._loss = keras_model.loss_name(model)
        self._from_logits = keras_model.takes_logits(model)
        self.float_inputs: list[Tensor] = []

    def inputs(self, data: Any) -> None:
        """Measures the inputs of a batch, `x` or `(x, y[, sample_weight])`."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.float_inputs = []
        for name, value in named_tensors("x", x):
            if value.dtype.is_floating:  # integers are ids or raw bytes, and are never NaN
                self.float_inputs.append(value)
                self._features(name, value, "input")
        if self._loss in REGRESSION_LOSSES:
            for name, value in named_tensors("y", y):
                self._features(name, value, "target")

    def labels(
        self, y: Any = None, y_pred: Any = None, sample_weight: Any = None, **_: Any
    ) -> None:
        """Looks at a batch of labels and at what the model made of it."""
        self.weighted = self.weighted or sample_weight is not None
        if not (isinstance(y, tf.Tensor) and isinstance(y_pred, tf.Tensor)):
            self.unseen = "the loss does not compare one tensor of labels with one of outputs"
            return
        self.unseen = ""
        rows = [Row(str(i), role="label") for i in range(classes_told_apart(self._loss, y_pred))]
        if rows:
            labels = functools.partial(label_samples, self._loss, y, len(rows))
            self._instrument.running("class", "y", rows, lambda whole: labels())
        context = PredictionContext(self._loss, y, y_pred, self._from_logits)
        self._instrument.predictions(rows, context)

    def _features(self, name: str, value: Tensor, role: str) -> None:
        rows = feature_rows(name, value.shape.as_list() if value.shape.rank else [], role)
        samples = functools.partial(_feature_samples, value, len(rows))
        suspect = ~tf.math.is_finite(tf.reduce_sum(tf.cast(value, tf.float32)))
        self._instrument.running("feature", name, rows, samples, suspect)


def named_tensors(name: str, nested: Any) -> list[tuple[str, Tensor]]:
    """Returns the tensors of a nested structure, named by their keys: `x`, `age`, `x[0]`."""
    if isinstance(nested, dict):
        return [pair for key in nested for pair in named_tensors(str(key), nested[key])]
    if isinstance(nested, (list, tuple)):
        parts = enumerate(nested)
        return [pair for i, part in parts for pair in named_tensors(f"{name}[{i}]", part)]
    return [(name, nested)] if isinstance(nested, tf.Tensor) else []


def classes_told_apart(loss: str, y_pred: Tensor) -> int:
    """Returns how many classes `loss` compares; 0 where it compares none, or too many to log."""
    classes = int(y_pred.shape[-1] or 0)
    if loss == "binary_crossentropy":
        return 2 if classes == 1 else 0
    compares = loss in ("sparse_categorical_crossentropy", "categorical_crossentropy")
    return classes if compares and classes <= MAX_CLASSES else 0


def label_samples(loss: str, y: Tensor, classes: int) -> Tensor:
    """Returns float32 `[n, classes]`, for a `loss` that tells so many classes apart.

    Each row has how often each class was among the labels of some of the samples.
    """
    if loss == "sparse_categorical_crossentropy":
        labels = tf.reshape(tf.cast(y, tf.int32), [-1])
        known = tf.where(labels < classes, labels, -1)  # of -1, nothing is counted
        ones = tf.ones_like(labels, tf.float32)
        return tf.math.unsorted_segment_sum(ones, known, classes)[tf.newaxis]
    if loss == "categorical_crossentropy":
        return tf.reshape(tf.cast(y, tf.float32), [-1, classes])
    positive = tf.reshape(tf.cast(y, tf.float32), [-1, 1])
    return tf.concat([1.0 - positive, positive], axis=1)


def _feature_samples(value: Tensor, features: int, whole: bool) -> Tensor:
    """Returns float32 `[n, features]` of a batch, or of its first samples if not `whole`."""
    if not whole and value.shape.rank:
        per_sample = value.shape[1:].num_elements() or features
        value = value[: max(1, SAMPLE_ELEMENTS // per_sample)]
    return tf.reshape(tf.cast(value, tf.float32), [-1, features])
