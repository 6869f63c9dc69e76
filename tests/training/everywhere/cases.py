"""Models, precisions and optimizers that people combine, each ready to be trained."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras

from tests.training import models

layers, optimizers = keras.layers, keras.optimizers

SAMPLES, BATCH = 96, 16
OVERFLOWING_SCALE = 2.0**19
"""Of the loss: it overflows 16-bit gradients until it was halved a few times."""


@dataclasses.dataclass(frozen=True)
class Case:
    """How to make a compiled model, and the samples to train it on."""

    build: Callable[[], keras.Model]
    data: Callable[[], Any] = lambda: models.data(SAMPLES)

    def make(self) -> keras.Model:
        """Returns the same fresh model at every call."""
        keras.utils.set_random_seed(1)
        return self.build()


def several_inputs() -> keras.Model:
    shared = layers.Dense(8, activation="tanh", name="shared")
    block = keras.Sequential([layers.Dense(8, activation="relu", name="up")], name="block")
    left, right = keras.Input((12,), name="left"), keras.Input((12,), name="right")
    joined = layers.Concatenate()([shared(left), shared(right), block(shared(left))])
    kind = layers.Dense(3, activation="softmax", name="kind")(joined)
    size = layers.Dense(1, name="size")(joined)
    model = keras.Model({"left": left, "right": right}, {"kind": kind, "size": size})
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    model.compile("adam", losses, loss_weights={"kind": 1.0, "size": 0.3})
    return model


def several_inputs_data() -> Any:
    x, y = models.data(SAMPLES)
    return {"left": x, "right": x[::-1].copy()}, {"kind": y, "size": x[:, :1] ** 2}


def sequence() -> keras.Model:
    inputs = keras.Input((12,))
    words = keras.ops.cast(4.0 * keras.ops.abs(inputs), "int32")  # a word comes several times
    x = layers.Embedding(40, 8, name="words")(words)
    x = layers.Conv1D(8, 3, activation="relu")(x)
    x = layers.LSTM(6, return_sequences=True)(layers.BatchNormalization()(x))
    x = layers.MultiHeadAttention(2, 4, use_bias=False)(x, x)
    x = layers.GRU(5)(layers.LayerNormalization()(x))
    return _compiled(keras.Model(inputs, layers.Dense(3, activation="softmax")(x)))


class Gan(keras.Model):  # type: ignore[misc]
    """Two networks, each with an optimizer of its own, as in Keras' guides."""

    def __init__(self) -> None:
        super().__init__(name="gan")
        self.critic = _two_layers("critic", 12, 1)
        self.maker = _two_layers("maker", 4, 12)

    def compile(self, critic_optimizer: Any, maker_optimizer: Any) -> None:
        super().compile()
        self.critic_optimizer, self.maker_optimizer = critic_optimizer, maker_optimizer

    def critic_loss(self, real: Any) -> Any:
        made = self.maker(real[:, :4])
        return keras.ops.mean(
            keras.ops.softplus(-self.critic(real)) + keras.ops.softplus(self.critic(made))
        )

    def maker_loss(self, real: Any) -> Any:
        return keras.ops.mean(keras.ops.softplus(-self.critic(self.maker(real[:, :4]))))

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        real, _ = data
        with tf.GradientTape() as tape:
            critic_loss = self.critic_loss(real)
        variables = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(critic_loss, variables), variables)
        with tf.GradientTape() as tape:
            maker_loss = self.maker_loss(real)
        variables = self.maker.trainable_variables
        self.maker_optimizer.apply(tape.gradient(maker_loss, variables), variables)
        return {"loss": critic_loss}


def _two_layers(name: str, inputs: int, outputs: int) -> keras.Model:
    hidden = layers.Dense(8, activation="relu", name="hidden")
    parts = [keras.Input((inputs,)), hidden, layers.Dense(outputs, name="out")]
    return keras.Sequential(parts, name=name)


def gan() -> keras.Model:
    model = Gan()
    model.compile(optimizers.Adam(1e-3), optimizers.SGD(1e-2))
    return model


def constrained() -> keras.Model:
    """Weight decay and constraints, both strong enough to dominate the change."""
    limit = keras.constraints.MaxNorm(0.7)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", kernel_constraint=limit),
            layers.Dense(3, activation="softmax"),
        ]
    )
    optimizer = optimizers.AdamW(1e-3, weight_decay=20.0)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return _compiled(model, optimizer)


def plain(optimizer: Callable[[], Any]) -> Case:
    """A perceptron without dropout, trained with an optimizer of this kind."""
    return Case(lambda: _compiled(_perceptron(), optimizer()))


def half_precision(policy: str, optimizer: Callable[[], Any]) -> Case:
    """The same in mixed precision."""

    def build() -> keras.Model:
        with _dtype_policy(policy):
            return _compiled(_perceptron(), optimizer())

    return Case(build)


def _perceptron() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu"),
            layers.Dense(16, activation="tanh"),
            layers.Dense(3, activation="softmax", dtype="float32"),
        ]
    )


def _compiled(model: keras.Model, optimizer: Any = "adam") -> keras.Model:
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    return model


@contextlib.contextmanager
def _dtype_policy(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def scheduled_sgd(**options: Any) -> Any:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.7)
    return optimizers.SGD(schedule, momentum=0.9, **options)


def scaled(inner: Any) -> Any:
    return optimizers.LossScaleOptimizer(inner, initial_scale=OVERFLOWING_SCALE)


def averaging() -> Any:
    return optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3)


CASES: dict[str, Case] = {
    "several inputs": Case(several_inputs, several_inputs_data),
    "sequence": Case(sequence),
    "cnn": Case(lambda: _compiled(models.cnn_without_dropout())),
    "nested": Case(lambda: _compiled(models.nested())),
    "custom step": Case(lambda: _compiled(models.CustomStep(rate=0.0))),
    "learning rate schedule": plain(scheduled_sgd),
    "clipnorm": plain(lambda: scheduled_sgd(clipnorm=0.2)),
    "global_clipnorm": plain(lambda: scheduled_sgd(global_clipnorm=0.5)),
    "clipvalue": plain(lambda: scheduled_sgd(clipvalue=0.1)),
    "weight decay and constraint": Case(constrained),
    "moving average": plain(lambda: optimizers.Adam(1e-2, use_ema=True)),
    "moving average that overwrites": plain(averaging),
    "accumulation": plain(lambda: scheduled_sgd(gradient_accumulation_steps=3, clipnorm=0.3)),
    "static loss scale": plain(lambda: scheduled_sgd(loss_scale_factor=128.0)),
    "mixed_bfloat16": half_precision("mixed_bfloat16", lambda: optimizers.AdamW(1e-2)),
    "mixed_float16": half_precision(
        "mixed_float16", lambda: scaled(optimizers.AdamW(1e-2, clipnorm=0.5))
    ),
}

GAN = Case(gan)
