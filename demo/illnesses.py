"""One training for each further illness that Gradient Health knows."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from demo._run import DemoRun

layers = keras.layers


def _blobs(samples: int = 600, features: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Returns points around three centres, and which centre each belongs to."""
    labels = np.random.randint(0, 3, samples)
    centres = 2.0 * np.random.normal(size=(3, features))
    return (centres[labels] + np.random.normal(size=(samples, features))).astype("float32"), labels


def _train(model: keras.Model, optimizer: Any, x: Any, y: Any, callbacks: list[Any]) -> None:
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=10, verbose=0, callbacks=callbacks)


def _network(*hidden: layers.Layer) -> keras.Model:
    return keras.Sequential(
        [keras.Input((8,)), *hidden, layers.Dense(3, activation="softmax", name="classes")]
    )


def missing_values(callbacks: list[Any], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    x, y = _blobs()
    x[17, 3] = np.nan
    network = _network(layers.Dense(32, activation="relu", name="hidden"))
    _train(network, "adam", x, y, callbacks)


def saturated(callbacks: list[Any], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    x, y = _blobs()
    huge = keras.initializers.RandomNormal(stddev=6.0)
    hidden = [
        layers.Dense(32, activation="tanh", kernel_initializer=huge, name=f"hidden{i}")
        for i in (1, 2)
    ]
    _train(_network(*hidden), "adam", x, y, callbacks)


def vanishing(callbacks: list[Any], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    x, y = _blobs()
    hidden = [layers.Dense(32, activation="sigmoid", name=f"hidden{i}") for i in range(1, 9)]
    _train(_network(*hidden), keras.optimizers.SGD(0.1), x, y, callbacks)


def exploding(callbacks: list[Any], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    x = np.random.normal(size=(600, 20)).astype("float32")
    y = x @ np.random.normal(size=(20, 1)).astype("float32")
    model = keras.Sequential([keras.Input((20,)), layers.Dense(1, name="value")])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(x, y, epochs=4, verbose=0, callbacks=callbacks)


def distance_to(y_true: Any, y_pred: Any) -> Any:
    return keras.ops.sqrt(keras.ops.sum(keras.ops.square(y_true - y_pred), axis=-1))


def root_of_zero(callbacks: list[Any], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    x = np.random.normal(size=(600, 8)).astype("float32")
    x[::6] = 0  # blank samples: the network, without biases yet, predicts them exactly
    y = x @ np.random.normal(size=(8, 3)).astype("float32")
    hidden = layers.Dense(32, activation="relu", name="hidden")
    model = keras.Sequential([keras.Input((8,)), hidden, layers.Dense(3, name="point")])
    model.compile("adam", distance_to)
    model.fit(x, y, epochs=5, verbose=0, callbacks=callbacks)


RUNS = (
    DemoRun(
        "missing_values",
        "One value of the input is missing (NaN).",
        missing_values,
        root_cause="nonfinite_inputs",
    ),
    DemoRun(
        "saturated_tanh",
        "Weights six times too large push every tanh to its end.",
        saturated,
        root_cause="poor_initialization",
        consequences=("saturated_activations",),
    ),
    DemoRun(
        "vanishing_sigmoids",
        "Eight sigmoid layers in a row, plain gradient descent.",
        vanishing,
        root_cause="vanishing_gradients",
    ),
    DemoRun(
        "exploding",
        "Gradient descent with a step a little too long: each one overshoots further.",
        exploding,
        root_cause="learning_rate_too_high",
        consequences=("exploding_gradients",),
    ),
    DemoRun(
        "root_of_zero",
        "A distance as loss, whose square root has no gradient where it is zero.",
        root_of_zero,
        root_cause="nonfinite_values",
    ),
)
