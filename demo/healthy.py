"""Two trainings that go well, on real digits and on generated text: nothing may be found."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits

from demo._run import DemoRun

layers = keras.layers

ANIMALS = ("cat", "dog", "owl", "fox", "hen", "bee")
VERBS = ("sees", "hears", "likes", "fears")
CONTEXT = 24


def digits_cnn(callbacks: list[Any], seed: int) -> keras.callbacks.History:
    """Trains a small CNN with BatchNorm on 1,797 scanned digits of 8 x 8 pixels."""
    keras.utils.set_random_seed(seed)
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(32, 3, padding="same", strides=2, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(
        images, labels, epochs=20, validation_split=0.2, verbose=0, callbacks=callbacks
    )


def sentences(count: int, seed: int) -> np.ndarray:
    """Returns `count` pieces of a made-up text, uint8 `[count, CONTEXT + 1]`."""
    random = np.random.default_rng(seed)
    words = [
        f"{random.choice(ANIMALS)} {random.choice(VERBS)} {random.choice(ANIMALS)}. "
        for _ in range(count)
    ]
    text = np.frombuffer("".join(words).encode(), np.uint8)
    starts = random.integers(0, len(text) - CONTEXT - 1, count)
    return np.stack([text[start : start + CONTEXT + 1] for start in starts])


class Positions(keras.layers.Layer):
    """Adds a learned vector per position."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.table = self.add_weight(
            shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02), name="table"
        )

    def call(self, x: Any) -> Any:
        return x + self.table


def _block(x: Any, width: int, name: str) -> Any:
    attention = layers.MultiHeadAttention(4, width // 4, name=f"{name}_attention")
    normed = keras.layers.LayerNormalization(name=f"{name}_norm1")(x)
    x = layers.Add(name=f"{name}_add1")([x, attention(normed, normed, use_causal_mask=True)])
    hidden = keras.layers.LayerNormalization(name=f"{name}_norm2")(x)
    hidden = layers.Dense(4 * width, activation="gelu", name=f"{name}_up")(hidden)
    hidden = layers.Dense(width, name=f"{name}_down")(hidden)
    return layers.Add(name=f"{name}_add2")([x, hidden])


def transformer(callbacks: list[Any], seed: int) -> keras.callbacks.History:
    """Trains a two-block Transformer to predict the next character."""
    keras.utils.set_random_seed(seed)
    windows = sentences(2000, seed)
    inputs = keras.Input((CONTEXT,), dtype="int32")
    x = Positions(name="positions")(layers.Embedding(128, 48, name="embedding")(inputs))
    for name in ("block1", "block2"):
        x = _block(x, 48, name)
    outputs = layers.Dense(128, name="logits")(keras.layers.LayerNormalization(name="norm")(x))
    model = keras.Model(inputs, outputs, name="transformer")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    return model.fit(
        windows[:, :-1], windows[:, 1:], batch_size=64, epochs=5, verbose=0, callbacks=callbacks
    )


RUNS = (
    DemoRun("healthy/digits", "A CNN with BatchNorm learns scanned digits.", digits_cnn),
    DemoRun("healthy/transformer", "A Transformer learns to spell.", transformer),
)
