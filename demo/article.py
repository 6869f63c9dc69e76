"""Three ways to spoil a training, each with its cure: scaling, activation, learning rate.

The labels are random in all of them, so no model can do better than guess; what differs is
whether the training itself is sound.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from demo._run import DemoRun

layers = keras.layers


def _classifier(features: int, optimizer: Any) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((features,)),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def _scaling(scaled: bool, callbacks: list[Any], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    x = np.random.rand(100, 2)
    x[:, 1] *= 1000
    if scaled:
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    model = _classifier(2, "adam")
    model.fit(x, np.random.randint(0, 2, 100), epochs=50, verbose=0, callbacks=callbacks)


def shrinking_tanh(x: Any) -> Any:
    return keras.ops.tanh(x * 0.01)


def _activation(function: Any, callbacks: list[Any], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    x, y = np.random.rand(100, 10), np.random.rand(100, 1)
    model = keras.Sequential(
        [keras.Input((10,)), layers.Dense(16, activation=function), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    model.fit(x, y, epochs=100, verbose=0, callbacks=callbacks)


def _learning_rate(rate: float, callbacks: list[Any], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    x, y = np.random.rand(100, 5), np.random.randint(0, 2, 100)
    model = _classifier(5, keras.optimizers.Adam(rate))
    model.fit(x, y, epochs=50, verbose=0, callbacks=callbacks)


# Sharpness tells why no learning rate fits unscaled inputs: compare the two runs.
_WITH_CURVATURE = {"preset": "full", "max_share": 1.0}

RUNS = (
    DemoRun(
        "scaling/sick",
        "One of two features is a thousand times larger than the other.",
        lambda callbacks, seed: _scaling(False, callbacks, seed),
        root_cause="unscaled_inputs",
        options=_WITH_CURVATURE,
    ),
    DemoRun(
        "scaling/fixed",
        "The same data, standardised.",
        lambda callbacks, seed: _scaling(True, callbacks, seed),
        options=_WITH_CURVATURE,
    ),
    DemoRun(
        "activation/sick",
        "A hand-made activation, tanh(0.01 x), lets one hundredth of the signal through.",
        lambda callbacks, seed: _activation(shrinking_tanh, callbacks, seed),
        root_cause="attenuating_activation",
    ),
    DemoRun(
        "activation/fixed",
        "The same network with ReLU.",
        lambda callbacks, seed: _activation("relu", callbacks, seed),
    ),
    DemoRun(
        "learning_rate/sick",
        "Adam with a learning rate of 1.0.",
        lambda callbacks, seed: _learning_rate(1.0, callbacks, seed),
        root_cause="learning_rate_too_high",
        consequences=("dead_units",),
    ),
    DemoRun(
        "learning_rate/fixed",
        "The same network at 0.001.",
        lambda callbacks, seed: _learning_rate(1e-3, callbacks, seed),
    ),
)
