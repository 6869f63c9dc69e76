"""Three networks of usual kinds, with a batch of made-up data each, to be timed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

layers = keras.layers
Batch = tuple[np.ndarray, np.ndarray]


def mlp() -> tuple[keras.Model, Batch]:
    """20 layers of 256 units, batches of 256."""
    model = keras.Sequential([keras.Input((256,))])
    for _ in range(19):
        model.add(layers.Dense(256, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    return model, _batch((256, 256), 10)


def _residual(x: Any, filters: int, stride: int) -> Any:
    branch = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
    branch = layers.ReLU()(layers.BatchNormalization()(branch))
    branch = layers.Conv2D(filters, 3, padding="same", use_bias=False)(branch)
    branch = layers.BatchNormalization()(branch)
    if stride > 1 or x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, stride, use_bias=False)(x)
    return layers.ReLU()(layers.Add()([x, branch]))


def cnn() -> tuple[keras.Model, Batch]:
    """Six residual blocks with BatchNorm on images of 32 x 32, batches of 64."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    for filters, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        x = _residual(x, filters, stride)
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), _batch((64, 32, 32, 3), 10)


def transformer() -> tuple[keras.Model, Batch]:
    """Four blocks of width 128 on 64 tokens, batches of 16."""
    inputs = keras.Input((64,), dtype="int32")
    x = layers.Embedding(1000, 128)(inputs)
    for _ in range(4):
        normed = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 32)(normed, normed)])
        hidden = layers.Dense(512, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(128)(hidden)])
    outputs = layers.Dense(1000, activation="softmax")(x)
    random = np.random.default_rng(0)
    tokens = random.integers(0, 1000, (2, 16, 64))
    return keras.Model(inputs, outputs), (tokens[0].astype("int32"), tokens[1])


NETWORKS: dict[str, Callable[[], tuple[keras.Model, Batch]]] = {
    "MLP": mlp,
    "CNN": cnn,
    "Transformer": transformer,
}


def _batch(shape: tuple[int, ...], classes: int) -> Batch:
    random = np.random.default_rng(0)
    return random.normal(size=shape).astype("float32"), random.integers(0, classes, shape[0])
