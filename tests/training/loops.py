"""Training steps as people write them by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tests.training import models

MODES: dict[str, Callable[[Any], Any]] = {
    "eager": lambda step: step,
    "graph": tf.function,
    "xla": lambda step: tf.function(step, jit_compile=True),
}


UNMEASURED = {"label_counts", "predicted_share", "expected_initial_loss", "step_overshoot"}
"""What no loop of one's own can say in preset `standard`."""


class Loop:
    """A model of `models.MODELS` with its optimizer and a step that returns the loss."""

    def __init__(self, name: str, mode: str, seed: int = 1) -> None:
        keras.utils.set_random_seed(seed)
        self.model = models.MODELS[name]()
        self.optimizer = keras.optimizers.Adam(1e-3)
        self.step = MODES[mode](self.plain_step)

    def plain_step(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = self.model(x, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, outputs))
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return loss

    def weights(self) -> bytes:
        """Every number that training changes."""
        seeds = [v for v in self.model.variables if "seed" in v.path]
        values = [*self.model.weights, *seeds, *self.optimizer.variables]
        return b"".join(value.numpy().tobytes() for value in values)


def batches(count: int, size: int = 50) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Returns `count` batches of `models.data()`, from the start again when they end."""
    x, y = models.data()
    starts = [i * size % len(x) for i in range(count)]
    return [(tf.constant(x[i : i + size]), tf.constant(y[i : i + size])) for i in starts]
