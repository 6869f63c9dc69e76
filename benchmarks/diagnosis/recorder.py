"""Records a `Series` while Keras trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.diagnosis.data import Array, Data
from benchmarks.diagnosis.measures import activation_row, data_facts, variable_row
from benchmarks.diagnosis.series import Series

EVERY = 10
"""Steps from one record to the next."""

BATCH = 64
"""Samples that gradients and outputs are looked at on."""


class SeriesRecorder(keras.callbacks.Callback):
    """Looks at the same batch every `EVERY` steps; the training stays as it is.

    A model with a training step of its own is recorded by its weights and logs alone.
    """

    def __init__(self, data: Data, task: str) -> None:
        super().__init__()
        self._x, self._y = data.x[:BATCH], data.y[:BATCH]
        self._facts = {**data_facts(data, task), "task": task}
        self._step = 0
        self._steps: list[int] = []
        self._losses: list[float] = []
        self._variables: list[Array] = []
        self._activations: list[Array] = []
        self._epochs: list[dict[str, float]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self._kernels = [v for v in self.model.trainable_variables if len(v.shape) > 1]
        self._hidden = _hidden_activations(self.model)
        self._look = _make_look(self.model, self._kernels, self._hidden)
        self._facts |= _model_facts(self.model, self._kernels, self._hidden)
        self._seen = self._weights()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._step % EVERY:
            return
        stateful = [(v, v.numpy()) for v in self.model.non_trainable_variables]
        loss, gradients, outputs = self._look(self._x, self._y)
        for variable, value in stateful:
            variable.assign(value)
        self._before = self._weights()
        self._losses.append(float(loss))
        self._gradients = [np.asarray(g, "float32") for g in gradients]
        functions = [layer.activation.__name__ for layer in self._hidden]
        rows = [activation_row(np.array(h), f) for h, f in zip(outputs, functions, strict=True)]
        self._activations.append(np.array(rows))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._step % EVERY == 0:
            now = self._weights()
            parts = zip(self._gradients, self._before, now, self._seen, strict=True)
            self._variables.append(np.array([variable_row(*part) for part in parts]))
            self._steps.append(self._step)
            self._seen = self._before
        self._step += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epochs.append({"step": self._step - 1, **(logs or {})})

    def series(self) -> Series:
        """What was recorded."""
        names = self._epochs[0] if self._epochs else ()
        return Series(
            steps=np.array(self._steps),
            loss=np.array(self._losses),
            variables=np.array(self._variables, "float32"),
            activations=np.array(self._activations, "float32"),
            epochs={name: np.array([logs[name] for logs in self._epochs]) for name in names},
            facts=self._facts,
        )

    def _weights(self) -> list[Array]:
        return [v.numpy().astype("float32") for v in self._kernels]


def _hidden_activations(model: keras.Model) -> list[Any]:
    if not getattr(model, "inputs", None):  # it has a training step of its own
        return []
    functions = [(layer, getattr(layer, "activation", None)) for layer in model.layers]
    return [
        layer
        for layer, function in functions
        if callable(function) and function.__name__ != "linear" and layer.name != "head"
    ]


def _make_look(model: keras.Model, kernels: list[Any], hidden: list[Any]) -> Callable[..., Any]:
    """Returns what computes loss, gradients and hidden outputs of a batch."""
    if not getattr(model, "inputs", None):  # it has a training step of its own
        return lambda x, y: (np.nan, [np.zeros(k.shape) for k in kernels], [])
    probe = keras.Model(model.inputs, [model.outputs[0], *(layer.output for layer in hidden)])

    def look(x: Any, y: Any) -> Any:
        values = [kernel.value for kernel in kernels]
        with tf.GradientTape() as tape:
            predicted, *outputs = probe(x, training=True)
            loss = model.compute_loss(x, y, predicted)
        gradients = tape.gradient(loss, values, unconnected_gradients="zero")
        return loss, [tf.convert_to_tensor(g) for g in gradients], outputs

    compiled: Callable[..., Any] = tf.function(look)
    return compiled


def _model_facts(model: keras.Model, kernels: list[Any], hidden: list[Any]) -> dict[str, Any]:
    rates = [getattr(layer, "rate", 0.0) for layer in model.layers if "dropout" in layer.name]
    head = getattr(model.layers[-1], "activation", None)
    return {
        "variables": [kernel.path for kernel in kernels],
        "activations": [layer.name for layer in hidden],
        "functions": [layer.activation.__name__ for layer in hidden],
        "fans": [[int(np.prod(k.shape[:-1])), int(k.shape[-1])] for k in kernels],
        "head": getattr(head, "__name__", type(model.layers[-1]).__name__.lower()),
        "loss": model.loss if isinstance(model.loss, str) else type(model.loss).__name__,
        "learning_rate": float(model.optimizer.learning_rate),
        "dropout": max(rates, default=0.0),
    }
