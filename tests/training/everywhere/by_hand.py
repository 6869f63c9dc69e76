"""The slow and obvious reference: the same training by hand, looked at in NumPy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tests.training.everywhere.cases import BATCH

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Step:
    """What one step did; the lists go with the model's trainable variables."""

    loss: float
    learning_rate: float
    gradients: list[Array]
    before: list[Array]
    after: list[Array]

    @property
    def norms(self) -> Array:
        return np.array([np.linalg.norm(gradient) for gradient in self.gradients])

    @property
    def ratios(self) -> Array:
        """Of the whole change; NaN where the variable was zero."""
        changes = [np.linalg.norm(a - b) for a, b in zip(self.after, self.before, strict=True)]
        sizes = np.array([np.linalg.norm(b) for b in self.before])
        return np.array(changes) / np.where(sizes == 0.0, np.nan, sizes)

    @property
    def changes(self) -> list[Array]:
        return [after - before for after, before in zip(self.after, self.before, strict=True)]

    @property
    def predicted(self) -> Array:
        """By how much the change of each variable would change the loss if it were straight."""
        pairs = zip(self.gradients, self.changes, strict=True)
        return np.array([np.sum(gradient * change) for gradient, change in pairs])


def cosine(one: Array, other: Array) -> float:
    """Returns the cosine of the angle between two changes; NaN where one of them is none."""
    sizes = np.linalg.norm(one) * np.linalg.norm(other)
    return float(np.sum(one * other) / sizes) if sizes else np.nan


def train(model: keras.Model, data: Any) -> list[Step]:
    """Trains a compiled model for one epoch in batches of `BATCH`, in order."""
    model(next(batches(data))[0])  # makes the variables of a subclassed model
    return [_step(model, *batch) for batch in batches(data)]


def batches(data: Any) -> Iterator[Any]:
    """Yields what `fit` would, without shuffling."""
    samples = len(keras.tree.flatten(data)[0])
    for first in range(0, samples, BATCH):
        chosen = slice(first, first + BATCH)
        yield keras.tree.map_structure(lambda a, s=chosen: tf.convert_to_tensor(a[s]), data)


def _step(model: keras.Model, x: Any, y: Any) -> Step:
    def forward() -> Any:
        return model.compute_loss(x=x, y=y, y_pred=model(x, training=True))

    return apply(model.optimizer, model.trainable_variables, forward)


def apply(optimizer: Any, variables: list[Any], forward: Callable[[], Any]) -> Step:
    """Takes one step of an optimizer on the loss that `forward` returns."""
    if not optimizer.built:
        optimizer.build(variables)
    scale = float(optimizer.scale_loss(tf.constant(1.0)))
    rate = float(optimizer.learning_rate)
    before = numbers(variables)
    with tf.GradientTape() as tape:
        loss = forward()
        scaled = optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, variables)
    optimizer.apply(gradients, variables)
    dense = [np.asarray(tf.convert_to_tensor(g), np.float64) / scale for g in gradients]
    return Step(float(loss), rate, dense, before, numbers(variables))


def numbers(variables: list[Any]) -> list[Array]:
    """Returns the values of variables in double precision."""
    return [np.asarray(variable.numpy(), np.float64) for variable in variables]
