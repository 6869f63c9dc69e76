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

from benchmarks.diagnosis.bodies import BODIES
from benchmarks.diagnosis.bodies._blocks import through
from benchmarks.diagnosis.data import Data, load


@dataclasses.dataclass(frozen=True)
class Setup:
    """All that decides a training but the seed.

    Attributes:
      body: Name in `bodies.BODIES`.
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
        x = through(self.entry(), inputs)
        body = BODIES[self.body]
        outputs = body.build(x, self, body.depth if self.depth is None else self.depth)
        if not body.has_head:
            outputs = _head(outputs, self, data)
        model = keras.Model(inputs, through(self.after_head(), outputs))
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


LOSSES = {
    "classes": "sparse_categorical_crossentropy",
    "binary": "binary_crossentropy",
    "labels": "binary_crossentropy",
    "values": "mse",
    "copy": "mse",
}

_HEADS = {"classes": "softmax", "binary": "sigmoid", "labels": "sigmoid", "values": None}


def _head(x: Any, setup: Setup, data: Data) -> Any:
    units = data.y.shape[1] if data.y.ndim > 1 else int(max(data.y.max(), data.y_val.max())) + 1
    options = {"units": units, "activation": _HEADS[setup.task], "dtype": _head_dtype(setup)}
    return layers.Dense(**{**options, **setup.head}, name="head")(x)


def _head_dtype(setup: Setup) -> str | None:
    return "float32" if setup.policy.startswith("mixed") else None
