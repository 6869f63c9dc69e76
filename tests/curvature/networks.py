"""Small networks of four kinds, in float32 or float64, and their full Hessian."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tensorboard_gradhealth.curvature import keras_loss
from tensorboard_gradhealth.curvature.hvp import Layout, gradient

layers = keras.layers
Batch = tuple[np.ndarray, np.ndarray]


def dense() -> keras.Model:
    """Two tanh layers, with a regulariser."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="tanh", kernel_regularizer="l2"),
            layers.Dense(6, activation="tanh"),
            layers.Dense(3),
        ]
    )


def cnn() -> keras.Model:
    """A convolution with BatchNorm and pooling."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("silu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def lstm() -> keras.Model:
    """An embedding and an LSTM."""
    return keras.Sequential(
        [keras.Input((5,)), layers.Embedding(9, 4), layers.LSTM(5), layers.Dense(3)]
    )


def attention() -> keras.Model:
    """An embedding, two heads of attention and LayerNorm."""
    tokens = keras.Input((5,))
    x = layers.Embedding(9, 4)(tokens)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(tokens, layers.Dense(3)(x))


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "dense": dense,
    "CNN": cnn,
    "LSTM": lstm,
    "attention": attention,
}


def compiled(name: str, policy: str = "float32") -> keras.Model:
    """Returns a network with fixed weights, the same in every policy."""
    with _defaults(policy):
        model = NETWORKS[name]()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss)
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        variable.assign(random.normal(0.0, 0.5, shape).astype("float32"))
    return model


def batch(model: keras.Model, examples: int = 24) -> Batch:
    """Returns numbers, images or tokens, with labels of three classes."""
    random = np.random.default_rng(2)
    shape = (examples, *model.input_shape[1:])
    tokens = isinstance(model.layers[0 if model.layers[0].weights else 1], layers.Embedding)
    x = random.integers(0, 9, shape) if tokens else random.normal(size=shape)
    return x.astype("int32" if tokens else "float32"), random.integers(0, 3, examples)


def values(model: keras.Model) -> list[Any]:
    """Returns the trainable weights as tensors."""
    return [tf.convert_to_tensor(variable.value) for variable in model.trainable_variables]


def full_hessian(name: str, at: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """Returns the Hessian of a network on its batch, float64, differentiated row by row.

    Args:
      name: Of the network.
      at: Its weights, where they are not those that it is given at first.
    """
    model, row = _row_of_hessian(name)
    weights = values(model) if at is None else [tf.constant(part, tf.float64) for part in at]
    with _defaults("float64"):
        return np.array(
            [row(index, weights).numpy() for index in tf.range(Layout.of(weights).size)]
        )


@functools.cache
def _row_of_hessian(name: str) -> tuple[keras.Model, Callable[[Any, Any], Any]]:
    model = compiled(name, "float64")
    x, y = (tf.convert_to_tensor(part) for part in batch(model))
    loss_fn = keras_loss(model)

    @functools.partial(tf.function, autograph=False)
    def row(index: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            _, slopes = gradient(loss_fn, weights, x, y)
            element = tf.concat([tf.reshape(slope, [-1]) for slope in slopes], 0)[index]
        parts = tape.gradient(element, weights, unconnected_gradients="zero")
        return tf.concat([tf.reshape(tf.convert_to_tensor(part), [-1]) for part in parts], 0)

    return model, row


@contextlib.contextmanager
def _defaults(policy: str) -> Iterator[None]:
    """Makes a policy that of new layers, and float64 that of losses in it."""
    keras.config.set_dtype_policy(policy)
    keras.config.set_floatx("float64" if policy == "float64" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_floatx("float32")
