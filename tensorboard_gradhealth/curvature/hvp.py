"""Exact gradients and Hessian-vector products of a loss, by reverse over reverse mode.

The product is the gradient of `<gradient, v>` (Pearlmutter 1994). Why not forward over reverse:
docs/adr/0008-curvature-by-reverse-over-reverse.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tensorboard_gradhealth.curvature.reasons import NotDifferentiableTwice, NotPure

Tensor = Any
LossFunction = Callable[..., Tensor]
"""`loss_fn(weights, *batch)`: a float scalar; `weights` are tensors in a fixed order."""

_WRITERS = ("Assign", "ResourceApply", "ResourceSparseApply", "ResourceScatter", "Rng")
_RANDOM = (
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "Random",
    "StatefulRandomBinomial",
    "StatefulStandardNormal",
    "StatefulTruncatedNormal",
    "StatefulUniform",
    "TruncatedNormal",
)
_NO_GRADIENT = "SymbolicGradient"
"""Stands in a graph for the derivative of a function that TensorFlow fails to find when run."""


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """How a list of arrays lies in one vector, one after the other.

    Attributes:
      shapes: Of the arrays.
    """

    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, arrays: Sequence[Any]) -> Layout:
        """Returns the layout of tensors, variables or arrays whose shapes are known."""
        return cls(tuple(tuple(int(size) for size in array.shape) for array in arrays))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Elements of each array."""
        return tuple(int(np.prod(shape, dtype=np.int64)) for shape in self.shapes)

    @property
    def size(self) -> int:
        """Elements of the vector."""
        return sum(self.sizes)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each array lies."""
        ends = np.cumsum((0, *self.sizes)).tolist()
        return tuple(slice(a, b) for a, b in itertools.pairwise(ends))

    def split(self, vector: Tensor) -> list[Tensor]:
        """Returns the tensors that a vector tensor consists of."""
        parts = tf.split(vector, self.sizes)
        return [tf.reshape(part, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        """Returns the float32 vector of all tensors."""
        return tf.concat([tf.reshape(tf.cast(t, tf.float32), [-1]) for t in tensors], axis=0)

    def join_numpy(self, arrays: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Returns the float32 vector of all arrays.

        Raises:
          ValueError: They are not of these shapes.
        """
        shapes = Layout.of(arrays).shapes
        if shapes != self.shapes:
            raise ValueError(f"expected arrays of the shapes {self.shapes}, got {shapes}")
        return np.concatenate([np.asarray(array, np.float32).ravel() for array in arrays])


def gradient(
    loss_fn: LossFunction, weights: Sequence[Tensor], *batch: Any
) -> tuple[Tensor, list[Tensor]]:
    """Returns the loss and its gradient, dense, zero where the loss does not depend on a weight.

    Args:
      loss_fn: See `LossFunction`.
      weights: Tensors, or `tf.Variable`s that `loss_fn` reads by itself.
      *batch: Passed on to `loss_fn`.
    """
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = loss_fn(weights, *batch)
    return loss, _derivatives(tape, loss, weights)


def hessian_vector_product(
    loss_fn: LossFunction, weights: Sequence[Tensor], vectors: Sequence[Tensor], *batch: Any
) -> list[Tensor]:
    """Returns the Hessian of the loss at `weights`, times `vectors`, which are shaped like them.

    Works in eager mode, in a `tf.function` and with `jit_compile=True`; gradients of embeddings
    are made dense. Costs about as much as two to three gradients.

    Raises:
      NotDifferentiableTwice: An operation of `loss_fn` has no second derivative.
    """
    with tf.GradientTape() as tape:
        tape.watch(weights)
        _, slopes = gradient(loss_fn, weights, *batch)
    return _derivatives(tape, slopes, weights, output_gradients=list(vectors))


def check_graph(graph: tf.Graph) -> None:
    """Checks that a traced loss, or a derivative of it, can be run and leaves all as it was.

    Raises:
      NotDifferentiableTwice: It contains a derivative that cannot be run.
      NotPure: It writes to a variable, or draws from a stateful random generator.
    """
    definition = graph.as_graph_def()
    bodies = [definition.node, *(function.node_def for function in definition.library.function)]
    for node in (node for body in bodies for node in body):
        if node.op.startswith(_WRITERS + _RANDOM):
            raise NotPure(node.op)
        if node.op == _NO_GRADIENT:
            raise NotDifferentiableTwice(node.name)


def _derivatives(
    tape: tf.GradientTape, target: Any, weights: Sequence[Tensor], **options: Any
) -> list[Tensor]:
    try:
        found = tape.gradient(target, list(weights), **options)
    except LookupError as error:
        raise NotDifferentiableTwice(_operation(error)) from error
    return [
        tf.zeros_like(weight) if part is None else tf.convert_to_tensor(part)
        for part, weight in zip(found, weights, strict=True)
    ]


def _operation(error: LookupError) -> str:
    text = str(error.args[0] if error.args else error)
    named = re.search(r"op type: (\w+)|no entry for: (\w+)", text)
    return next(filter(None, named.groups())) if named else text
