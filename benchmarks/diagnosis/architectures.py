"""The networks of the suite: a body, a head that fits the task, and how it is trained."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.bodies import BODIES
from benchmarks.diagnosis.bodies._blocks import through
from benchmarks.diagnosis.data import Data, load
from benchmarks.diagnosis.setups import Setup


def load_data(setup: Setup, seed: int) -> Data:
    """Returns the data, made and changed as the setup says."""
    data = load(BODIES[setup.body].input, setup.task, setup.samples, seed)
    random = np.random.default_rng([seed, 1])
    for prepare in setup.prepare:
        data = prepare(data, random)
    return data


def build(setup: Setup, data: Data) -> keras.Model:
    """Returns the compiled model for data of these shapes. Kernels come from Keras' global seed."""
    keras.config.set_dtype_policy(setup.policy)
    inputs = keras.Input(data.x.shape[1:], dtype=data.x.dtype)
    x = through(setup.entry(), inputs)
    body = BODIES[setup.body]
    outputs = body.build(x, setup, body.depth if setup.depth is None else setup.depth)
    if not body.has_head:
        outputs = _head(outputs, setup, data)
    model = keras.Model(inputs, through(setup.after_head(), outputs))
    keras.config.set_dtype_policy("float32")
    setup.adapt(model, data)
    model = setup.wrap(model)
    metrics = {"classes": ["accuracy"], "binary": ["accuracy"], "labels": ["accuracy"]}
    options = {"metrics": metrics.get(setup.task), "jit_compile": False, **setup.compile}
    model.compile(setup.optimizer(), setup.loss or LOSSES[setup.task], **options)
    return model


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
