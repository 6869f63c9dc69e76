"""Small models of every kind that people build, with data to train them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

layers = keras.layers


def mlp() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(32, activation="tanh"),
            layers.Dense(32, activation="gelu"),
            layers.Dense(16),
            layers.Activation("sigmoid"),
            layers.Dense(3, activation="softmax"),
        ]
    )


def cnn() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Reshape((3, 4, 1)),
            layers.Conv2D(8, 2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(8, 2, activation="elu"),
            layers.SpatialDropout2D(0.2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def cnn_without_dropout() -> keras.Model:
    return keras.Sequential(
        [layer for layer in cnn().layers if not isinstance(layer, layers.SpatialDropout2D)]
    )


def residual() -> keras.Model:
    inputs = keras.Input((12,), name="numbers")
    stem = layers.Dense(16, activation="swish", name="stem")(inputs)
    branch = layers.Dense(16, name="branch")(stem)
    joined = layers.LayerNormalization()(layers.Add()([stem, branch]))
    outputs = layers.Dense(3, activation="softmax", name="head")(layers.LeakyReLU()(joined))
    return keras.Model(inputs, outputs, name="residual")


def nested() -> keras.Model:
    block = keras.Sequential(
        [layers.Dense(16, activation="relu", name="up"), layers.Dense(12, name="down")],
        name="block",
    )
    inputs = keras.Input((12,))
    outputs = layers.Dense(3, activation="softmax", name="head")(block(block(inputs)))
    return keras.Model(inputs, outputs, name="outer")


class Subclassed(keras.Model):  # type: ignore[misc]
    def __init__(self, rate: float = 0.2) -> None:
        super().__init__(name="subclassed")
        self.hidden = layers.Dense(16, activation="relu", name="hidden")
        self.normalize = layers.BatchNormalization(name="normalize")
        self.drop = layers.Dropout(rate)
        self.head = layers.Dense(3, activation="softmax", name="head")

    def call(self, inputs: Any, training: bool = False) -> Any:
        hidden = self.normalize(self.hidden(inputs), training=training)
        return self.head(self.drop(hidden, training=training))

    def get_config(self) -> dict[str, Any]:
        return {}


class CustomStep(Subclassed):
    """Takes its own gradients and returns its own loss, as the Keras guides show."""

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            predictions = self(x, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, predictions))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def gelu_and_dropout() -> keras.Model:
    """TensorFlow folds the scale of the Dropout into the product that ends the GELU."""
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="gelu"),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )


MODELS: dict[str, Callable[[], keras.Model]] = {
    "mlp": mlp,
    "cnn": cnn,
    "gelu_and_dropout": gelu_and_dropout,
    "residual": residual,
    "nested": nested,
    "subclassed": Subclassed,
    "custom_step": CustomStep,
}


def data(samples: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Returns x, float32 `[samples, 12]`, and y, int `[samples]` in 0..2, learnable from x."""
    random = np.random.default_rng(0)
    x = random.normal(size=(samples, 12)).astype(np.float32)
    return x, np.argmax(x[:, :3], axis=1)


def compiled(name: str, seed: int = 1, **options: Any) -> keras.Model:
    """Returns a fresh model of `MODELS`, compiled with Adam."""
    keras.utils.set_random_seed(seed)
    model = MODELS[name]()
    model.compile("adam", "sparse_categorical_crossentropy", **options)
    return model
