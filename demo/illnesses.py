"""One training for each further illness that is worth a look, each with its cure."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from demo._run import Illness, runs

layers = keras.layers


def _blobs(samples: int = 600, features: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Returns points around three centres, and which centre each belongs to."""
    labels = np.random.randint(0, 3, samples)
    centres = 2.0 * np.random.normal(size=(3, features))
    return (centres[labels] + np.random.normal(size=(samples, features))).astype("float32"), labels


def _train(model: keras.Model, optimizer: Any, x: Any, y: Any, callbacks: list[Any]) -> None:
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=10, verbose=0, callbacks=callbacks)


def _network(*hidden: keras.layers.Layer) -> keras.Model:
    return keras.Sequential(
        [keras.Input((8,)), *hidden, layers.Dense(3, activation="softmax", name="classes")]
    )


def missing_values(fixed: bool, callbacks: list[Any]) -> None:
    x, y = _blobs()
    x[17, 3] = np.nan
    if fixed:
        bad = ~np.isfinite(x).all(1)
        x, y = x[~bad], y[~bad]
    network = _network(layers.Dense(32, activation="relu", name="hidden"))
    _train(network, "adam", x, y, callbacks)


def saturated(fixed: bool, callbacks: list[Any]) -> None:
    x, y = _blobs()
    options: dict[str, Any] = {
        "activation": "tanh",
        "kernel_initializer": keras.initializers.RandomNormal(stddev=6.0),
    }
    if fixed:
        options["kernel_initializer"] = "glorot_uniform"
    hidden = [layers.Dense(32, name=f"hidden{i}", **options) for i in (1, 2)]
    _train(_network(*hidden), "adam", x, y, callbacks)


def vanishing(fixed: bool, callbacks: list[Any]) -> None:
    x, y = _blobs()
    options = {"activation": "sigmoid"}
    if fixed:
        options = {"activation": "relu", "kernel_initializer": "he_normal"}
    hidden = [layers.Dense(32, name=f"hidden{i}", **options) for i in range(1, 9)]
    _train(_network(*hidden), keras.optimizers.SGD(0.1), x, y, callbacks)


def exploding(fixed: bool, callbacks: list[Any]) -> None:
    x = np.random.normal(size=(600, 20)).astype("float32")
    y = x @ np.random.normal(size=(20, 1)).astype("float32")
    model = keras.Sequential([keras.Input((20,)), layers.Dense(1, name="value")])
    model.compile(keras.optimizers.SGD(0.005 if fixed else 1.0), "mse")
    model.fit(x, y, epochs=4, verbose=0, callbacks=callbacks)


def distance_to(y_true: Any, y_pred: Any) -> Any:
    return keras.ops.sqrt(keras.ops.sum(keras.ops.square(y_true - y_pred), axis=-1))


def safe_distance_to(y_true: Any, y_pred: Any) -> Any:
    return keras.ops.sqrt(keras.ops.sum(keras.ops.square(y_true - y_pred), axis=-1) + 1e-12)


def root_of_zero(fixed: bool, callbacks: list[Any]) -> None:
    x = np.random.normal(size=(600, 8)).astype("float32")
    x[::6] = 0  # blank samples: the network, without biases yet, predicts them exactly
    y = x @ np.random.normal(size=(8, 3)).astype("float32")
    hidden = layers.Dense(32, activation="relu", name="hidden")
    model = keras.Sequential([keras.Input((8,)), hidden, layers.Dense(3, name="point")])
    model.compile("adam", safe_distance_to if fixed else distance_to)
    model.fit(x, y, epochs=5, verbose=0, callbacks=callbacks)


ILLNESSES = (
    Illness(
        "missing_values",
        "One value of the input is missing (NaN).",
        missing_values,
        root_cause="nonfinite_inputs",
        cure="The same data without that sample.",
        fix="x_train, y_train = x_train[~bad], y_train[~bad]",
    ),
    Illness(
        "saturated_tanh",
        "Weights six times too large push every tanh to its end.",
        saturated,
        root_cause="poor_initialization",
        cure="Weights that suit the width.",
        fix='activation="tanh", kernel_initializer="glorot_uniform"',
        consequences=("saturated_activations",),
    ),
    Illness(
        "vanishing_sigmoids",
        "Eight sigmoid layers in a row, plain gradient descent.",
        vanishing,
        root_cause="vanishing_gradients",
        cure="The same depth with ReLU, and initial weights made for it.",
        fix='activation="relu", kernel_initializer="he_normal"',
    ),
    Illness(
        "exploding",
        "Gradient descent with a step a little too long: each one overshoots further.",
        exploding,
        root_cause="learning_rate_too_high",
        cure="The same descent with shorter steps.",
        fix="SGD(learning_rate=0.005)",
        consequences=("exploding_gradients",),
    ),
    Illness(
        "root_of_zero",
        "A distance as loss, whose square root has no gradient where it is zero.",
        root_of_zero,
        root_cause="nonfinite_values",
        cure="The same distance, kept away from zero.",
        fix="tf.sqrt(x + 1e-12)",
    ),
)

RUNS = runs(ILLNESSES)
