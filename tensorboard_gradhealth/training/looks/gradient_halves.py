"""Estimates gradient noise from the two halves of a batch.

For halves of b examples of a batch of B, with squared gradient norms h (mean of both) and w (of
the whole), (B w - b h) / (B - b) is an unbiased estimate of the squared norm of the true gradient,
and (h - w) / (1/b - 1/B) one of the trace of the covariance (McCandlish et al. 2018, appendix A.1).
Each is averaged by itself: the mean of their ratio would be biased.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tensorboard_gradhealth.curvature.keras_loss import keras_loss
from tensorboard_gradhealth.signals._base import GradientContext, HalvesContext
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.host.session import Session
from tensorboard_gradhealth.training.model import distribution, keras_model

Tensor = Any
Array = npt.NDArray[np.float64]

DECAY = 0.95
"""Of the running means, which forget so that they follow training."""

MIN_EXAMPLES = 4


class GradientHalves:
    """Compares the gradient of a step with those of the halves of its batch.

    Only norms are kept, and one gradient is held at a time.

    Raises:
      NotMeasurable: The model's loss is not known, or batches are spread over replicas.
    """

    def __init__(self, model: keras.Model, session: Session, recorder: StepRecorder) -> None:
        distribution.check_whole_batches(model.distribute_strategy)
        self._model = model
        self._session = session
        self._recorder = recorder
        self._names = [row.name for row, _ in keras_model.described(model)]
        self._loss_fn = keras_loss(model)
        self._compute = self._squares
        if not model.run_eagerly:
            self._compute = tf.function(self._squares, autograph=False, reduce_retracing=True)
        self._examples = 0
        self._halves: list[Array] = []
        self._noise = NoiseEstimate(self._names)

    def before(self, batch: Any) -> None:
        """Computes the gradients of both halves."""
        batch = keras.utils.unpack_x_y_sample_weight(batch)
        examples = int(keras.tree.flatten(batch)[0].shape[0])
        self._session.facts["batch_size"] = examples
        self._examples = examples // 2 * 2
        self._halves = []
        if self._examples >= MIN_EXAMPLES:
            half = self._examples // 2
            for part in (slice(half), slice(half, 2 * half)):
                taken = keras.tree.map_structure(
                    lambda a, p=part: None if a is None else a[p], batch
                )
                self._halves.append(self._compute(*taken).numpy().astype(np.float64))

    def after(self) -> None:
        """Compares them with the gradient of the whole."""
        norms = self._recorder.latest("gradient_norm")
        if not self._halves or norms.keys() != set(self._names):
            return
        whole = np.square([norms[name] for name in self._names])
        halves = np.stack(self._halves)
        if np.isfinite(whole).all() and np.isfinite(halves).all():
            self._session.probe("halves", self._noise.add(whole, halves, self._examples))

    def _squares(self, *batch: Any) -> Tensor:
        weights = [tf.convert_to_tensor(each) for each in self._model.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = self._loss_fn(weights, *batch)
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        return GradientContext(gradients).squared_norms


class NoiseEstimate:
    """Running means over probes."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._signal = np.zeros(len(names))
        self._noise = np.zeros(len(names))
        self._weight = 0.0

    def add(self, whole: Array, halves: Array, examples: int) -> HalvesContext:
        """Takes in one probe.

        Args:
          whole: `[V]`, squared norms of the gradient of the whole batch.
          halves: `[2, V]`, those of its halves.
          examples: In the whole batch.
        """
        half = halves.mean(axis=0)
        self._signal = _mixed(self._signal, 2.0 * whole - half)
        self._noise = _mixed(self._noise, examples * (half - whole))
        self._weight = DECAY * self._weight + 1.0 - DECAY
        means = self._signal / self._weight, self._noise / self._weight
        signal, noise = (dict(zip(self._names, mean.tolist(), strict=True)) for mean in means)
        return HalvesContext(signal, noise)


def _mixed(before: Array, new: Array) -> Array:
    return DECAY * before + (1.0 - DECAY) * new
