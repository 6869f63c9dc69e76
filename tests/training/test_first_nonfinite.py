"""The first activation that is not finite is told from those that its NaN has spread to.

By the end of such a step the weights are not finite either: the activations have to be searched
before they are changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tests.logs import read_run

STEPS, BATCH = 80, 4
NAMES = ["first", "second", "third", "fourth"]


class OwnTape(keras.Sequential):
    """Computes its loss by itself."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


class Overflow(keras.callbacks.Callback):
    """Makes the outputs of `third` infinite at one step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == self.step:
            overflow(self.model)


def overflow(model: keras.Model) -> None:
    kernel = model.get_layer("third").kernel
    kernel.assign(np.full(kernel.shape, 3e38, np.float32))


def four_layers(kind: type[keras.Sequential] = keras.Sequential, jit: bool = False) -> keras.Model:
    keras.utils.set_random_seed(0)
    # Of positive weights, which keep what is infinite infinite: the ReLU of a NaN may be zero.
    dense = functools.partial(
        keras.layers.Dense, kernel_initializer=keras.initializers.Constant(0.1)
    )
    hidden = [dense(8, "relu", name=name) for name in NAMES]
    model = kind([keras.Input((6,)), *hidden, dense(1)])
    model.compile("sgd", "mse", jit_compile=jit)
    return model


def data() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).random((STEPS * BATCH, 6)).astype(np.float32)
    return x, x[:, :1]


def found(log_dir: Path, step: int) -> list[str]:
    """Activations that were not finite in a step; in the one before, all were."""
    series = read_run(log_dir).series("activation_nonfinite")
    values = dict(zip(series.steps.tolist(), series.values[:, :, 0], strict=True))
    assert read_run(log_dir).records()[-1].first_nonfinite_step == step
    earlier = [v for s, v in values.items() if s < step]
    assert not np.any(earlier)
    names = [row.name for row in read_run(log_dir).info().rows["activation"]]
    return [name for name, value in zip(names, values[step], strict=True) if value]


@pytest.mark.parametrize("step", [30, 75], ids=["measured in full", "measured in part"])
@pytest.mark.parametrize(
    "make",
    [
        four_layers,
        lambda: four_layers(OwnTape),
        pytest.param(lambda: four_layers(jit=True), marks=pytest.mark.slow),
    ],
    ids=["compute_loss", "own train_step", "compiled by XLA"],
)
def test_in_fit(make: Callable[[], keras.Model], step: int, tmp_path: Path) -> None:
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    callbacks = [Overflow(step), callback]
    make().fit(*data(), batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks)
    assert found(tmp_path, step) == ["third", "fourth"]
    (finding,) = [each for each in callback.findings if each.rule == "nonfinite_values"]
    assert finding.title == "The output of `third` is NaN or infinite"


@pytest.mark.parametrize("step", [30, 75], ids=["measured in full", "measured in part"])
def test_in_a_loop(step: int, tmp_path: Path) -> None:
    model, (x, y) = four_layers(), data()
    optimizer = keras.optimizers.SGD()

    @tf.function
    def train(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    with gradhealth.HealthMonitor(tmp_path, model=model, optimizer=optimizer, verbose=0) as monitor:
        for number in range(STEPS):
            if number == step:
                overflow(model)
            part = slice(number * BATCH, (number + 1) * BATCH)
            monitor.step(train, tf.constant(x[part]), tf.constant(y[part]))
    assert found(tmp_path, step) == ["third", "fourth"]
