"""The Hessian of a loss on one batch as something to multiply NumPy vectors by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tensorboard_gradhealth.curvature.hvp import (
    Layout,
    LossFunction,
    Tensor,
    check_graph,
    gradient,
    hessian_vector_product,
)
from tensorboard_gradhealth.curvature.lanczos import Double, Vector

Slices = list[tuple[float, tuple[Any, ...]]]
"""Parts of a batch, each with its share of the examples."""


class TracedLoss:
    """A loss whose gradient and Hessian products are traced once, for all weights and batches.

    Args:
      loss_fn: See `LossFunction`. Traced without AutoGraph, as Keras traces a training step.
      variables: `tf.Variable`s that `loss_fn` reads by itself, without regard to its argument;
        `None` if it computes with the weights that it is given.
      jit_compile: Whether XLA compiles both.
    """

    def __init__(
        self,
        loss_fn: LossFunction,
        variables: Sequence[tf.Variable] | None = None,
        jit_compile: bool = False,
    ) -> None:
        self._loss_fn = loss_fn
        self._variables = variables
        options = {"jit_compile": jit_compile, "autograph": False, "reduce_retracing": True}
        self.gradient = tf.function(self._gradient, **options)
        self.product = tf.function(self._product, **options)

    def weights(self, given: Sequence[Any] | None) -> list[Tensor]:
        """Returns what to differentiate by: the weights given, as tensors, or the variables."""
        if (given is None) == (self._variables is None):
            raise ValueError("weights are given exactly if the probe was made without variables")
        if given is None:
            return list(self._variables or ())
        return [tf.convert_to_tensor(weight) for weight in given]

    def _gradient(self, weights: Sequence[Tensor], *batch: Any) -> tuple[Tensor, Tensor]:
        weights = self._variables or weights
        loss, slopes = gradient(self._loss_fn, weights, *batch)
        check_graph(tf.compat.v1.get_default_graph())
        return tf.cast(loss, tf.float32), Layout.of(weights).join(slopes)

    def _product(self, weights: Sequence[Tensor], vector: Tensor, *batch: Any) -> Tensor:
        weights = self._variables or weights
        layout = Layout.of(weights)
        parts = [
            tf.cast(part, weight.dtype)
            for part, weight in zip(layout.split(vector), weights, strict=True)
        ]
        products = hessian_vector_product(self._loss_fn, weights, parts, *batch)
        check_graph(tf.compat.v1.get_default_graph())
        return layout.join(products)


class Hessian:
    """The Hessian of a traced loss at fixed weights, on a batch that may be taken in slices.

    Attributes:
      products: How often it was multiplied.
    """

    def __init__(
        self,
        loss: TracedLoss,
        weights: Sequence[Tensor],
        batch: Sequence[Any],
        batch_size: int | None = None,
    ) -> None:
        self.products = 0
        self._loss = loss
        self._weights = () if isinstance(weights[0], tf.Variable) else tuple(weights)
        self._batch_size = batch_size
        self._slices = _slices(as_tensors(batch), batch_size)

    def gradient(self) -> tuple[float, Double]:
        """Returns the loss and its gradient, float64 `[n]`."""
        total, slopes = 0.0, np.zeros(())
        for share, batch in self._slices:
            loss, slope = self._loss.gradient(self._weights, *batch)
            total += share * float(loss)
            slopes = slopes + share * slope.numpy()
        return total, slopes

    def __matmul__(self, vector: Vector) -> Double:
        """Returns the product with a float32 `[n]`, as float64 `[n]`."""
        return self._product(vector, self._slices)

    def product_on(self, batch: Sequence[Any], vector: Vector) -> Double:
        """Returns the product of the Hessian on another batch."""
        return self._product(vector, _slices(as_tensors(batch), self._batch_size))

    def _product(self, vector: Vector, slices: Slices) -> Double:
        self.products += 1
        product: Double = np.zeros(())
        for share, batch in slices:
            part = self._loss.product(self._weights, tf.convert_to_tensor(vector), *batch)
            product = product + share * part.numpy()
        return product


def as_tensors(batch: Sequence[Any]) -> tuple[Any, ...]:
    """Returns the parts of a batch, nests among them, with tensors as leaves; `None` stays."""
    return tuple(
        tf.nest.map_structure(lambda x: None if x is None else tf.convert_to_tensor(x), part)
        for part in batch
    )


def _slices(batch: tuple[Any, ...], batch_size: int | None) -> Slices:
    """Cuts a batch into slices of at most `batch_size` examples, each with its share of them."""
    leaves = [leaf for leaf in tf.nest.flatten(batch) if leaf is not None]
    if batch_size is None or not leaves:
        return [(1.0, batch)]
    examples = int(leaves[0].shape[0])
    starts = range(0, examples, batch_size)
    return [
        (
            (min(start + batch_size, examples) - start) / examples,
            tuple(_cut(part, slice(start, start + batch_size)) for part in batch),
        )
        for start in starts
    ]


def _cut(part: Any, at: slice) -> Any:
    return tf.nest.map_structure(lambda x: None if x is None else x[at], part)
