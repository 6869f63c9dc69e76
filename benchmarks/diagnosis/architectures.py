"""The networks of the suite: a body, a head that fits the task, and how it is trained.

A `Setup` describes a training that goes well; a fault is the same `Setup` with something changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.data import VOCABULARY, Data, load


@dataclasses.dataclass(frozen=True)
class Setup:
    """All that decides a training but the seed.

    Attributes:
      body: Name in `BODIES`.
      task: Name in `data.TASKS`.
      samples: To train on.
      batch_size: Of a step.
      epochs: Over the samples.
      optimizer: Makes the optimizer.
      activation: Of the hidden layers.
      hidden: Further arguments of all hidden layers with a kernel.
      recurrent: Further arguments of the recurrent layers.
      head: Arguments that replace those of the output layer.
      loss: Replaces the task's own loss.
      prepare: Changes the data, in this order.
      entry: Makes layers to put before the body.
      after: Makes layers to put after each hidden layer; or, for the head, `after_head`.
      after_head: Makes layers to put after the output layer.
      depth: Blocks of the body; None for its own number.
      compile: Further arguments of `compile`.
      fit: Further arguments of `fit`, made from the data.
      policy: Precision.
      adapt: Changes the model, once it is built, before it is compiled.
      wrap: Makes a model with a training step of its own out of it.
    """

    body: str
    task: str
    samples: int = 800
    batch_size: int = 32
    epochs: int = 10
    optimizer: Callable[[], Any] = lambda: keras.optimizers.Adam(2e-3)
    activation: Any = "relu"
    hidden: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    recurrent: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    head: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    loss: Any = None
    prepare: tuple[Callable[[Data, np.random.Generator], Data], ...] = ()
    entry: Callable[[], list[Any]] = list
    after: Callable[[], list[Any]] = list
    after_head: Callable[[], list[Any]] = list
    depth: int | None = None
    compile: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fit: Callable[[Data], Mapping[str, Any]] = lambda data: {}
    policy: str = "float32"
    adapt: Callable[[keras.Model, Data], None] = lambda model, data: None
    wrap: Callable[[keras.Model], keras.Model] = lambda model: model

    def data(self, seed: int) -> Data:
        """The data, made and changed as the setup says."""
        data = load(BODIES[self.body].input, self.task, self.samples, seed)
        random = np.random.default_rng([seed, 1])
        for prepare in self.prepare:
            data = prepare(data, random)
        return data

    def model(self, data: Data) -> keras.Model:
        """The compiled model for data of these shapes. Kernels come from Keras' global seed."""
        keras.config.set_dtype_policy(self.policy)
        inputs = keras.Input(data.x.shape[1:], dtype=data.x.dtype)
        x = _through(self.entry(), inputs)
        body = BODIES[self.body]
        outputs = body.build(x, self, body.depth if self.depth is None else self.depth)
        if not body.has_head:
            outputs = _head(outputs, self, data)
        model = keras.Model(inputs, _through(self.after_head(), outputs))
        keras.config.set_dtype_policy("float32")
        self.adapt(model, data)
        model = self.wrap(model)
        metrics = {"classes": ["accuracy"], "binary": ["accuracy"], "labels": ["accuracy"]}
        options = {"metrics": metrics.get(self.task), "jit_compile": False, **self.compile}
        model.compile(self.optimizer(), self.loss or LOSSES[self.task], **options)
        return model


Change = Callable[[Setup], Setup]


def changed(**changes: Any) -> Change:
    """Returns what replaces these attributes of a setup."""
    return lambda setup: dataclasses.replace(setup, **changes)


@dataclasses.dataclass(frozen=True)
class Body:
    """The hidden part of a network.

    Attributes:
      input: Kind of data, see `data.load`.
      build: Makes the hidden layers from (tensor, setup, depth).
      depth: How many blocks, if the setup does not say.
      has_head: Whether `build` makes the output layer too.
    """

    input: str
    build: Callable[[Any, Setup, int], Any]
    depth: int
    has_head: bool = False


LOSSES = {
    "classes": "sparse_categorical_crossentropy",
    "binary": "binary_crossentropy",
    "labels": "binary_crossentropy",
    "values": "mse",
    "copy": "mse",
}

_HEADS = {"classes": "softmax", "binary": "sigmoid", "labels": "sigmoid", "values": None}


def _through(these: list[Any], x: Any) -> Any:
    for layer in these:
        x = layer(x)
    return x


def _head(x: Any, setup: Setup, data: Data) -> Any:
    units = data.y.shape[1] if data.y.ndim > 1 else int(max(data.y.max(), data.y_val.max())) + 1
    options = {"units": units, "activation": _HEADS[setup.task], "dtype": _head_dtype(setup)}
    return layers.Dense(**{**options, **setup.head}, name="head")(x)


def _head_dtype(setup: Setup) -> str | None:
    return "float32" if setup.policy.startswith("mixed") else None


def _dense(x: Any, setup: Setup, units: int, name: str) -> Any:
    layer = layers.Dense(units, activation=setup.activation, name=name, **setup.hidden)
    return _through(setup.after(), layer(x))


def _conv(x: Any, setup: Setup, filters: int, name: str, strides: int = 1) -> Any:
    options = {"strides": strides, "padding": "same", "activation": setup.activation}
    return _through(
        setup.after(), layers.Conv2D(filters, 3, name=name, **options, **setup.hidden)(x)
    )


def _mlp(width: int) -> Callable[[Any, Setup, int], Any]:
    def build(x: Any, setup: Setup, depth: int) -> Any:
        for number in range(1, depth + 1):
            x = _dense(x, setup, width, f"hidden{number}")
        return x

    return build


def _gated_mlp(x: Any, setup: Setup, depth: int) -> Any:
    """Each block is multiplied by a gate of its own, as in gated linear units."""
    for number in range(1, depth + 1):
        name = f"hidden{number}"
        gate = layers.Dense(48, activation="sigmoid", name=f"{name}_gate", **setup.hidden)(x)
        value = layers.Dense(48, activation=setup.activation, name=name, **setup.hidden)(x)
        x = _through(setup.after(), layers.Multiply(name=f"{name}_gated")([value, gate]))
    return x


def _cnn(x: Any, setup: Setup, depth: int) -> Any:
    for number in range(1, depth + 1):
        x = _conv(x, setup, 16, f"hidden{number}", strides=2 if number == 2 else 1)
    return _dense(layers.Flatten(name="flatten")(x), setup, 32, f"hidden{depth + 1}")


def _batch_norm(name: str) -> Any:
    """Keeps averages that have settled by the end of so short a training."""
    return layers.BatchNormalization(momentum=0.9, name=name)


def _cnn_bn(x: Any, setup: Setup, depth: int) -> Any:
    for number in range(1, depth + 1):
        strides = 2 if number == 2 else 1
        conv = layers.Conv2D(
            16, 3, strides, "same", use_bias=False, name=f"conv{number}", **setup.hidden
        )
        x = _batch_norm(f"norm{number}")(conv(x))
        x = layers.Activation(setup.activation, name=f"hidden{number}")(x)
        x = _through(setup.after(), x)
    return layers.GlobalAveragePooling2D(name="pool")(x)


def _resnet(x: Any, setup: Setup, depth: int) -> Any:
    x = _conv(x, setup, 16, "hidden1")
    for number in range(2, depth + 2):
        branch = _batch_norm(f"norm{number}")(x)
        branch = _conv(branch, setup, 16, f"hidden{number}")
        branch = layers.Conv2D(16, 3, padding="same", name=f"branch{number}")(branch)
        x = layers.Add(name=f"add{number}")([x, branch])
    return layers.GlobalAveragePooling2D(name="pool")(x)


def _recurrent(cell: type[Any]) -> Callable[[Any, Setup, int], Any]:
    def build(x: Any, setup: Setup, depth: int) -> Any:
        for number in range(1, depth + 1):
            options = {"return_sequences": number < depth, **setup.recurrent}
            x = cell(24, name=f"recurrent{number}", **options)(x)
        return _dense(x, setup, 24, "hidden1")

    return build


class Positions(layers.Layer):
    """Adds a learned vector per position."""

    def build(self, shape: tuple[int, ...]) -> None:
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=shape[1:], initializer=start, name="table")

    def call(self, x: Any) -> Any:
        return x + keras.ops.cast(self.table, x.dtype)


def _attention(x: Any, setup: Setup, depth: int) -> Any:
    x = Positions(name="positions")(x)
    for number in range(1, depth + 1):
        normed = layers.LayerNormalization(name=f"norm{number}a")(x)
        attention = layers.MultiHeadAttention(2, 12, name=f"attention{number}")
        x = layers.Add(name=f"add{number}a")([x, attention(normed, normed)])
        branch = layers.LayerNormalization(name=f"norm{number}b")(x)
        branch = _dense(branch, setup, 48, f"hidden{number}")
        branch = layers.Dense(24, name=f"down{number}")(branch)
        x = layers.Add(name=f"add{number}b")([x, branch])
    return layers.GlobalAveragePooling1D(name="pool")(layers.LayerNormalization(name="norm")(x))


def _series_attention(x: Any, setup: Setup, depth: int) -> Any:
    return _attention(layers.Dense(24, name="embed")(x), setup, depth)


def _token_attention(x: Any, setup: Setup, depth: int) -> Any:
    return _attention(layers.Embedding(VOCABULARY, 24, name="embed")(x), setup, depth)


def _autoencoder(x: Any, setup: Setup, depth: int) -> Any:
    for number, width in enumerate((48, 16, 48), 1):
        x = _dense(x, setup, width, f"hidden{number}")
    return layers.Dense(64, **{"activation": "sigmoid", **setup.head}, name="head")(x)


def _conv_autoencoder(x: Any, setup: Setup, depth: int) -> Any:
    x = _conv(x, setup, 16, "hidden1", strides=2)
    x = _conv(x, setup, 8, "hidden2", strides=2)
    x = layers.UpSampling2D(name="up1")(x)
    x = layers.UpSampling2D(name="up2")(_conv(x, setup, 16, "hidden3"))
    options = {"padding": "same", "activation": "sigmoid", **setup.head}
    return layers.Conv2D(1, 3, **options, name="head")(x)


BODIES: dict[str, Body] = {
    "mlp": Body("table", _mlp(48), 2),
    "flat_mlp": Body("flat", _mlp(64), 2),
    "cnn_bn": Body("images", _cnn_bn, 3),
    "rnn": Body("series", _recurrent(layers.SimpleRNN), 1),
    "lstm": Body("series", _recurrent(layers.LSTM), 1),
    "attention": Body("series", _series_attention, 1),
    "autoencoder": Body("flat", _autoencoder, 3, has_head=True),
    "deep_mlp": Body("table", _mlp(64), 4),
    "gated_mlp": Body("table", _gated_mlp, 3),
    "cnn": Body("images", _cnn, 2),
    "resnet": Body("images", _resnet, 2),
    "gru": Body("series", _recurrent(layers.GRU), 1),
    "transformer": Body("tokens", _token_attention, 2),
    "conv_autoencoder": Body("images", _conv_autoencoder, 3, has_head=True),
}

PARTS: dict[str, tuple[str, ...]] = {
    "choose": ("mlp", "flat_mlp", "deep_mlp", "cnn_bn", "rnn", "lstm", "attention", "autoencoder"),
    "report": ("gated_mlp", "cnn", "resnet", "gru", "transformer", "conv_autoencoder"),
}
"""Which bodies serve to choose thresholds and which to report: none does both."""

SEEDS: dict[str, int] = {"choose": 0, "report": 1000}
"""The first seed of each part."""
