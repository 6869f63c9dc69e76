"""Full-batch gradient descent: sharpness rises to 2 / learning rate and stays there.

That is how healthy training looks (Cohen et al. 2021). Three labels in ten are drawn anew, so that
there is something left to learn, and sharpness goes on rising until the limit holds it.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from demo._run import DemoRun

layers = keras.layers

EXAMPLES = 500
STEPS = 600


def noisy_digits(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns standardised scans of digits, float32 `[EXAMPLES, 64]`, and their noisy labels."""
    random = np.random.default_rng(seed)
    images, digits = (part[:EXAMPLES] for part in load_digits(return_X_y=True))
    drawn = random.integers(0, 10, EXAMPLES)
    labels = np.where(random.random(EXAMPLES) < 0.3, drawn, digits)
    return ((images - images.mean()) / images.std()).astype("float32"), labels


def full_batch(
    callbacks: list[Any], seed: int, rate: Any = 0.2, steps: int = STEPS
) -> keras.callbacks.History:
    """Takes steps on all examples at a learning rate, or by a schedule of it."""
    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(32, "tanh", kernel_initializer=_small()) for _ in range(2)]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss)
    batches = tf.data.Dataset.from_tensors(noisy_digits(seed)).repeat(steps)
    return model.fit(batches, shuffle=False, verbose=0, callbacks=callbacks)


def _small() -> keras.initializers.Initializer:
    """Begins well below the limit, so that the rise can be seen."""
    return keras.initializers.VarianceScaling(0.5, "fan_avg", "uniform")


RUNS = (
    DemoRun(
        "healthy/edge_of_stability",
        "Full-batch gradient descent at the edge of stability, and the loss falls.",
        full_batch,
        options={"preset": "full", "max_share": 1.0},
    ),
)
