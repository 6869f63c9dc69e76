"""Two networks that train against each other."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

NOISE = 8


class Adversarial(keras.Model):
    """A generator learns to make samples that `judge` takes for real ones.

    Args:
      judge: Takes samples and returns how likely each is real, `[batch, 1]`.
    """

    def __init__(self, judge: keras.Model) -> None:
        super().__init__()
        self.judge = judge
        self.generator = keras.Sequential(
            [
                keras.Input((NOISE,)),
                keras.layers.Dense(32, activation="relu", name="made1"),
                keras.layers.Dense(judge.input_shape[-1], name="made2"),
            ]
        )
        self.generator_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)

    def call(self, x: Any) -> Any:
        return self.judge(x)

    def train_step(self, data: Any) -> dict[str, Any]:
        real = data[0]
        count = tf.shape(real)[0]
        noise = tf.random.normal((count, NOISE))
        labels = tf.concat([tf.ones((count, 1)), tf.zeros((count, 1))], axis=0)
        with tf.GradientTape() as tape:
            samples = tf.concat([real, self.generator(noise)], axis=0)
            loss = self.compute_loss(samples, labels, self.judge(samples, training=True))
        weights = self.judge.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        with tf.GradientTape() as tape:
            verdict = self.judge(self.generator(noise), training=True)
            fooled = self.compute_loss(noise, tf.ones((count, 1)), verdict)
        weights = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(fooled, weights), weights)
        return {"loss": loss}
