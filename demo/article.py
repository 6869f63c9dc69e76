"""Three ways to spoil a training, each with its cure: scaling, activation, learning rate.

The labels are random in all of them, so no model can do better than guess; what differs is
whether the training itself is sound.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from demo._run import Illness, runs

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


def scaling(fixed: bool, callbacks: list[Any]) -> None:
    x = np.random.rand(100, 2)
    x[:, 1] *= 1000
    if fixed:
        x = (x - x.mean(0)) / x.std(0)
    model = _classifier(2, "adam")
    model.fit(x, np.random.randint(0, 2, 100), epochs=50, verbose=0, callbacks=callbacks)


def shrinking_tanh(x: Any) -> Any:
    return keras.ops.tanh(x * 0.01)


def activation(fixed: bool, callbacks: list[Any]) -> None:
    x, y = np.random.rand(100, 10), np.random.rand(100, 1)
    hidden = layers.Dense(16, activation="relu" if fixed else shrinking_tanh)
    model = keras.Sequential([keras.Input((10,)), hidden, layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, epochs=100, verbose=0, callbacks=callbacks)


def learning_rate(fixed: bool, callbacks: list[Any]) -> None:
    x, y = np.random.rand(100, 5), np.random.randint(0, 2, 100)
    model = _classifier(5, keras.optimizers.Adam(0.001 if fixed else 1.0))
    model.fit(x, y, epochs=50, verbose=0, callbacks=callbacks)


ILLNESSES = (
    Illness(
        "scaling/sick",
        "One of two features is a thousand times larger than the other.",
        scaling,
        root_cause="unscaled_inputs",
        cure="The same data, standardised.",
        fix="x_train = (x_train - x_train.mean(0)) / x_train.std(0)",
        # Sharpness tells why no learning rate fits unscaled inputs: compare the two runs.
        options={"preset": "full", "max_share": 1.0},
    ),
    Illness(
        "activation/sick",
        "A hand-made activation, tanh(0.01 x), lets one hundredth of the signal through.",
        activation,
        root_cause="attenuating_activation",
        cure="The same network with ReLU.",
        fix='activation="relu"',
    ),
    Illness(
        "learning_rate/sick",
        "Adam with a learning rate of 1.0.",
        learning_rate,
        root_cause="learning_rate_too_high",
        cure="The same network at 0.001.",
        fix="Adam(learning_rate=0.001)",
        consequences=("dead_units",),
    ),
)

RUNS = runs(ILLNESSES)
