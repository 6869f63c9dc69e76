"""Fits that do not simply run from beginning to end, as people's callbacks and notebooks make them.

Each takes the callbacks of a model's fits and returns the model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tests.training import models

EPOCHS, BATCH = 14, 48
"""70 steps: past those that are measured in full."""

Course = Callable[[list[Any]], keras.Model]


def fit(model: keras.Model, callbacks: list[Any], epochs: int = EPOCHS) -> None:
    x, y = models.data(240)
    model.fit(x, y, epochs=epochs, batch_size=BATCH, verbose=0, callbacks=callbacks)


class Meanwhile(keras.callbacks.Callback):  # type: ignore[misc]
    """Does something to the model when its `epoch`-th epoch begins."""

    def __init__(self, epoch: int, act: Callable[[keras.Model], None]) -> None:
        super().__init__()
        self._epoch, self._act = epoch, act

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self._epoch:
            self._act(self.model)


def thawed_on_the_way(callbacks: list[Any]) -> keras.Model:
    def thaw(model: keras.Model) -> None:
        model.layers[0].trainable = True
        model.make_train_function(force=True)

    model = models.mlp()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.variables)
    fit(model, [*callbacks, Meanwhile(12, thaw)])
    return model


def compiled_anew_on_the_way(callbacks: list[Any]) -> keras.Model:
    def compile_anew(model: keras.Model) -> None:
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        model.make_train_function()

    model = models.compiled("mlp")
    fit(model, [Meanwhile(12, compile_anew), *callbacks])
    return model


def frozen_but_not_compiled_anew(callbacks: list[Any]) -> keras.Model:
    """Keras goes on with the step that it has traced, and trains the layer."""
    model = models.compiled("mlp")
    fit(model, callbacks, 2)
    model.layers[0].trainable = False
    fit(model, callbacks, 2)
    return model


def several_fits(callbacks: list[Any]) -> keras.Model:
    model = models.compiled("mlp")
    for epochs in (12, 1, 2):
        fit(model, callbacks, epochs)
        model.evaluate(*models.data(96), verbose=0, callbacks=callbacks)
    fit(model, [], 1)
    fit(model, callbacks, 1)
    return model


class Noise(keras.layers.Layer):  # type: ignore[misc]
    """Draws its numbers by an operation that keeps its state in the trace of the step."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * tf.random.normal(tf.shape(x)) if training else x


def random_operations(callbacks: list[Any]) -> keras.Model:
    model = keras.Sequential([keras.Input((12,)), Noise(), keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    fit(model, callbacks)
    return model


def said_to_be_built(callbacks: list[Any]) -> keras.Model:
    model = models.compiled("subclassed")
    model.build((None, 12))
    fit(model, callbacks)
    return model


def interrupted(callbacks: list[Any]) -> keras.Model:
    def interrupt(model: keras.Model) -> None:
        raise KeyboardInterrupt

    model = models.compiled("mlp")
    with contextlib.suppress(KeyboardInterrupt):
        fit(model, [*callbacks, Meanwhile(11, interrupt)])
    fit(model, [], 2)
    fit(model, callbacks, 2)
    return model


COURSES: dict[str, Course] = {
    course.__name__.replace("_", " "): course
    for course in (
        thawed_on_the_way,
        compiled_anew_on_the_way,
        frozen_but_not_compiled_anew,
        several_fits,
        random_operations,
        said_to_be_built,
        interrupted,
    )
}
