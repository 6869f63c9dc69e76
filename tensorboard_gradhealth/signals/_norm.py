"""Sums of squares and products, and means: what nearly every signal comes down to."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.lazy import tf

Tensor = Any

LANES = 4096
"""Running sums side by side, where XLA compiles. One alone waits for each addition to end: XLA
keeps the order of additions, so it cannot use vector instructions, and takes four times as long."""

LARGE = 2**20
"""Elements from which on memory counts for more than time."""

_xla: contextvars.ContextVar[bool] = contextvars.ContextVar("xla", default=False)


@contextlib.contextmanager
def compiled_by_xla(compiled: bool) -> Iterator[None]:
    """Says whether what is traced inside will be compiled by XLA."""
    token = _xla.set(compiled)
    try:
        yield
    finally:
        _xla.reset(token)


def squared_norm(value: Tensor) -> Tensor:
    """Returns the sum of squares as a float32 scalar."""
    return 2.0 * half_squared_norm(value)


def squared_norm_numpy(value: npt.NDArray[Any]) -> float:
    """Returns the sum of squares of a NumPy array."""
    return float(np.sum(np.square(value, dtype=np.float64)))


def squared_norms(values: Sequence[Tensor]) -> Tensor:
    """Returns the sums of squares of V tensors, float32 `[V]`."""
    return 2.0 * tf.stack([half_squared_norm(value) for value in values])


def half_squared_norm(value: Tensor) -> Tensor:
    """Returns half the sum of squares: many of them are cheaper to double together."""
    # 16-bit floats are widened because their squares overflow above 256.
    value = tf.cast(value, tf.float32)
    if _in_lanes(value):
        return 0.5 * _sum_in_lanes(value**2)
    return tf.nn.l2_loss(value)  # one fused kernel


def inner_product(one: Tensor, other: Tensor) -> Tensor:
    """Returns the sum of products of two tensors of equal shape as a float32 scalar."""
    one, other = tf.cast(one, tf.float32), tf.cast(other, tf.float32)
    if _in_lanes(one):
        return _sum_in_lanes(one * other)
    if (one.shape.num_elements() or 0) < LARGE:
        return tf.reduce_sum(one * other)
    # Slower, but without a tensor of all products.
    product = tf.matmul(tf.reshape(one, [1, -1]), tf.reshape(other, [-1, 1]))
    return tf.reshape(product, [])


def mean_of_each(values: Tensor) -> Tensor:
    """Returns the mean of each of A matrices, float32 `[A, n, units]`, as float32 `[A]`."""
    if not _xla.get():
        return tf.reduce_mean(values, axis=[1, 2])
    return tf.reduce_mean(_kept_apart(tf.reduce_mean(values, axis=1)), axis=1)


def deviation_of_each(values: Tensor) -> Tensor:
    """Returns the standard deviation of each of A matrices, likewise."""
    centered = values - mean_of_each(values)[:, tf.newaxis, tf.newaxis]
    return tf.sqrt(mean_of_each(tf.square(centered)))


def _in_lanes(value: Tensor) -> bool:
    return _xla.get() and (value.shape.num_elements() or 0) >= 2 * LANES


def _sum_in_lanes(value: Tensor) -> Tensor:
    size = value.shape.num_elements()
    flat, even = tf.reshape(value, [-1]), size // LANES * LANES
    sums = tf.reduce_sum(tf.reshape(flat[:even], [-1, LANES]), axis=0)
    whole = tf.reduce_sum(_kept_apart(sums))
    return whole if even == size else whole + tf.reduce_sum(flat[even:])


def _kept_apart(sums: Tensor) -> Tensor:
    """Replaces NaN by NaN, which keeps XLA from making one sum of these and that of them."""
    return tf.where(tf.math.is_nan(sums), float("nan"), sums)
