"""What the bodies are built of: layers that follow a setup."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from benchmarks.diagnosis.setups import Setup


def through(these: list[Any], x: Any) -> Any:
    """Applies layers one after the other."""
    for layer in these:
        x = layer(x)
    return x


def dense(x: Any, setup: Setup, units: int, name: str) -> Any:
    """A dense layer with what the setup wants after it."""
    layer = layers.Dense(units, activation=setup.activation, name=name, **setup.hidden)
    return through(setup.after(), layer(x))


def conv(x: Any, setup: Setup, filters: int, name: str, strides: int = 1, size: int = 3) -> Any:
    """A convolution of `size` by `size` with what the setup wants after it."""
    options = {"strides": strides, "padding": "same", "activation": setup.activation}
    layer = layers.Conv2D(filters, size, name=name, **options, **setup.hidden)
    return through(setup.after(), layer(x))


def batch_norm(name: str) -> Any:
    """Keeps averages that have settled by the end of so short a training."""
    return layers.BatchNormalization(momentum=0.9, name=name)


class Positions(layers.Layer):
    """Adds a learned vector per position."""

    def build(self, shape: tuple[int, ...]) -> None:
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=shape[1:], initializer=start, name="table")

    def call(self, x: Any) -> Any:
        return x + keras.ops.cast(self.table, x.dtype)
