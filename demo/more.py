"""More illnesses, each with its cure: `python -m demo --all`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_breast_cancer, load_digits

from demo._run import Illness, runs

layers = keras.layers


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Returns scans of digits between 0 and 1, float32 `[1797, 64]`, and which digit each is."""
    images, digits = load_digits(return_X_y=True)
    return (images / 16).astype("float32"), digits


def _classifier(*hidden: Any) -> keras.Model:
    outputs = layers.Dense(10, activation="softmax", name="digit")
    return keras.Sequential([keras.Input((64,)), *hidden, outputs])


def _learn_digits(model: keras.Model, optimizer: Any, callbacks: list[Any]) -> None:
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(*_digits(), epochs=8, verbose=0, callbacks=callbacks)


def _dense(activation: str = "relu", **options: Any) -> list[keras.layers.Layer]:
    return [layers.Dense(32, activation, name=f"hidden{i}", **options) for i in (1, 2)]


def zeros(fixed: bool, callbacks: list[Any]) -> None:
    kernel = "he_normal" if fixed else "zeros"
    _learn_digits(_classifier(*_dense(kernel_initializer=kernel)), "adam", callbacks)


def crawling(fixed: bool, callbacks: list[Any]) -> None:
    rate = 1e-3 if fixed else 1e-6
    _learn_digits(_classifier(*_dense()), keras.optimizers.Adam(rate), callbacks)


def negative_bias(fixed: bool, callbacks: list[Any]) -> None:
    bias = "zeros" if fixed else keras.initializers.Constant(-5.0)
    hidden = _dense(bias_initializer=bias)
    _learn_digits(_classifier(*hidden), "adam", callbacks)


def heavy_penalty(fixed: bool, callbacks: list[Any]) -> None:
    penalty = keras.regularizers.L2(1e-4 if fixed else 1.0)
    _learn_digits(_classifier(*_dense(kernel_regularizer=penalty)), "adam", callbacks)


def one_way(fixed: bool, callbacks: list[Any]) -> None:
    features, hidden = _dense()
    features.trainable = not fixed
    stop = layers.Lambda(keras.ops.stop_gradient, name="stop")
    _learn_digits(_classifier(features, stop, hidden), "adam", callbacks)


def lone_softmax(fixed: bool, callbacks: list[Any]) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x = ((x - x.mean(0)) / x.std(0)).astype("float32")
    activation = "sigmoid" if fixed else "softmax"
    outputs = layers.Dense(1, activation=activation, name="malignant")
    model = keras.Sequential([keras.Input((30,)), layers.Dense(16, "relu", name="hidden"), outputs])
    model.compile("adam", "binary_crossentropy")
    model.fit(x, y, epochs=8, verbose=0, callbacks=callbacks)


def by_class(fixed: bool, callbacks: list[Any]) -> None:
    x, y = _digits()
    order = np.argsort(y)
    data = tf.data.Dataset.from_tensor_slices((x[order], y[order]))
    if fixed:
        data = data.shuffle(100_000)
    model = _classifier(*_dense())
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data.batch(32), epochs=8, verbose=0, callbacks=callbacks)


def by_heart(fixed: bool, callbacks: list[Any]) -> None:
    x, y = _digits()
    wrong = np.random.rand(len(y)) < 0.5
    y = np.where(wrong, np.random.randint(0, 10, len(y)), y)
    stop = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
    model = _classifier(layers.Dense(256, "relu", name="hidden"))
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(
        x[:320],
        y[:320],
        epochs=30,
        validation_data=(x[1000:], y[1000:]),
        verbose=0,
        callbacks=callbacks + [stop] * fixed,
    )


def shifted_tanh(fixed: bool, callbacks: list[Any]) -> None:
    hidden: list[keras.layers.Layer] = []
    for i in (1, 2):
        bias = keras.initializers.Constant(6.0)
        hidden.append(layers.Dense(32, bias_initializer=bias, name=f"hidden{i}"))
        if fixed:
            hidden.append(keras.layers.LayerNormalization(name=f"norm{i}"))
        hidden.append(layers.Activation("tanh", name=f"tanh{i}"))
    _learn_digits(_classifier(*hidden), "adam", callbacks)


ILLNESSES = (
    Illness(
        "zeros",
        "All kernels start at zero.",
        zeros,
        root_cause="poor_initialization",
        cure="The same network from random kernels.",
        fix='kernel_initializer="he_normal"',
    ),
    Illness(
        "crawling",
        "Adam with a learning rate of 1e-6.",
        crawling,
        root_cause="learning_rate_too_low",
        cure="The same network at 0.001.",
        fix="Adam(learning_rate=0.001)",
    ),
    Illness(
        "negative_bias",
        "Biases of -5 switch every ReLU off.",
        negative_bias,
        root_cause="dead_units",
        cure="The same network with biases of 0.",
        fix='bias_initializer="zeros"',
    ),
    Illness(
        "heavy_penalty",
        "A penalty on weights that leaves nothing of them.",
        heavy_penalty,
        root_cause="loss_plateau",
        cure="A penalty ten thousand times weaker.",
        fix="keras.regularizers.L2(1e-4)",
    ),
    Illness(
        "one_way",
        "No gradient passes back to the first layer.",
        one_way,
        root_cause="frozen_layer",
        cure="The first layer is declared to stay as it is.",
        fix="layer.trainable = False",
    ),
    Illness(
        "lone_softmax",
        "A softmax over one unit, which is always 1.",
        lone_softmax,
        root_cause="output_loss_mismatch",
        cure="The same network with a sigmoid.",
        fix='keras.layers.Dense(1, activation="sigmoid")',
    ),
    Illness(
        "by_class",
        "One class after the other, never shuffled.",
        by_class,
        root_cause="class_imbalance",
        cure="The same data, shuffled.",
        fix=".shuffle(100_000)",
    ),
    Illness(
        "by_heart",
        "Half of the labels are noise, and are learned by heart.",
        by_heart,
        root_cause="overfitting",
        cure="The same training, stopped at its best.",
        fix="EarlyStopping(patience=5, restore_best_weights=True)",
    ),
    Illness(
        "shifted_tanh",
        "Biases of 6 push every tanh to its end.",
        shifted_tanh,
        root_cause="saturated_activations",
        cure="What the activation sees is normalised.",
        fix="keras.layers.LayerNormalization()",
    ),
)

RUNS = runs(ILLNESSES)
