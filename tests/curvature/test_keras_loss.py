"""The loss of a Keras model as a pure function: right, and without a trace in the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.curvature import (
    CurvatureProbe,
    NotMeasurable,
    keras_loss,
    keras_preconditioner,
    variables_loss,
)
from tests.curvature import networks

layers = keras.layers


class Noisy(keras.layers.Layer):
    """Dropout and a loss of its own, inside a nested layer."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = layers.Dropout(0.5)

    def call(self, x: Any, training: bool = False) -> Any:
        self.add_loss(0.01 * keras.ops.mean(x**2))
        return self.dropout(x, training=training)


class Subclassed(keras.Model):
    """Recurrent, normalised, noisy and regularised."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = keras.Sequential([layers.Dense(6, kernel_regularizer="l2"), Noisy()])
        self.norm = layers.BatchNormalization()
        self.memory = layers.LSTM(3, recurrent_dropout=0.2)
        self.head = layers.Dense(3, activation="softmax")

    def call(self, x: Any, training: bool = False) -> Any:
        x = self.norm(self.inner(x, training=training), training=training)
        return self.head(self.memory(keras.ops.expand_dims(x, 1), training=training))


def functional() -> keras.Model:
    inputs = keras.Input((6,))
    x = layers.GaussianNoise(0.1)(layers.Dense(8, activation="relu")(inputs))
    x = layers.BatchNormalization()(layers.Dropout(0.3)(x))
    nested = keras.Sequential([keras.Input((8,)), layers.Dense(8), layers.Dropout(0.2)])
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(nested(x)))


MODELS: dict[str, Callable[[], keras.Model]] = {
    "functional": functional,
    "subclassed": Subclassed,
}


def make(name: str, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = MODELS[name]()
    options.setdefault("optimizer", "adam")
    model.compile(
        loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False, **options
    )
    return model


def data() -> networks.Batch:
    random = np.random.default_rng(2)
    return random.normal(size=(24, 6)).astype("float32"), random.integers(0, 3, 24)


def state(model: keras.Model) -> list[bytes]:
    """Returns every number that training reads or writes: seeds and metrics are among them."""
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [np.asarray(variable).tobytes() for variable in variables]


def probe(model: keras.Model, **options: Any) -> Any:
    return CurvatureProbe(keras_loss(model), eigen_products=4, trace_products=2, **options).measure(
        networks.values(model), data()
    )


def trained(name: str, probed: bool) -> list[bytes]:
    model, (x, y) = make(name), data()
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    before = state(model)
    if probed:
        probe(model)
        assert state(model) == before
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    return state(model)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_probe_changes_nothing_and_training_goes_on_as_without_it(name: str) -> None:
    assert trained(name, probed=True) == trained(name, probed=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_is_the_loss_of_the_next_training_step(name: str) -> None:
    model, (x, y) = make(name, optimizer=keras.optimizers.SGD(0.0)), data()
    model.train_on_batch(x, y)

    probed = keras_loss(model)(networks.values(model), tf.constant(x), tf.constant(y))
    model.reset_metrics()
    stepped = model.train_on_batch(x, y)[0]

    assert float(probed) == pytest.approx(float(stepped), rel=1e-5)


@pytest.mark.slow
def test_dropout_draws_the_same_mask_from_call_to_call_and_another_after_a_step() -> None:
    model, (x, y) = make("functional", optimizer=keras.optimizers.SGD(0.0)), data()
    model.train_on_batch(x, y)
    loss_fn = tf.function(keras_loss(model), autograph=False)
    weights = networks.values(model)

    first, second = (float(loss_fn(weights, x, y)) for _ in range(2))
    model.train_on_batch(x, y)

    assert first == second
    assert float(loss_fn(weights, x, y)) != first


def test_weights_of_samples_count() -> None:
    model = networks.compiled("dense")
    x, y = networks.batch(model)
    loss_fn, weights = keras_loss(model), networks.values(model)
    half = np.repeat([1.0, 0.0], 12).astype("float32")

    weighted = float(loss_fn(weights, x, y, half))

    regular = sum(float(tf.reduce_sum(loss)) for loss in model.losses)
    first = float(loss_fn(weights, x[:12], y[:12]))
    assert weighted - regular == pytest.approx((first - regular) / 2.0, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "attention"])
def test_half_precision_is_probed_in_float32_and_stays_as_it_was(name: str) -> None:
    half, full = networks.compiled(name, "mixed_float16"), networks.compiled(name)
    options = {"eigen_products": 30, "trace_products": 2}

    found, expected = (
        CurvatureProbe(keras_loss(model), **options).measure(
            networks.values(model), networks.batch(model)
        )
        for model in (half, full)
    )

    assert found.top.value == pytest.approx(expected.top.value, rel=1e-5)
    weighty = [layer for layer in half.layers if layer.weights]
    assert all(layer.compute_dtype == "float16" for layer in weighty)


def test_policies_are_put_back_after_an_error() -> None:
    model = networks.compiled("LSTM", "mixed_float16")

    with pytest.raises(Exception, match="incompatible"):
        keras_loss(model)(networks.values(model), tf.zeros([2, 5, 9, 9]), tf.zeros([2]))

    assert model.layers[1].compute_dtype == "float16"
    assert model.layers[1].use_cudnn == "auto"


def test_refuses_a_model_whose_loss_is_not_known() -> None:
    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    own = Own([keras.Input((6,)), layers.Dense(3)])
    own.compile("sgd", "mse")
    with pytest.raises(NotMeasurable, match="`Own` has a train_step of its own"):
        keras_loss(own)
    with pytest.raises(NotMeasurable, match="`Own` has a train_step of its own"):
        keras_loss(Own([layers.Dense(3)]))  # as a GAN that calls its parts: it is never built
    with pytest.raises(ValueError, match="must be compiled"):
        keras_loss(networks.dense())
    with pytest.raises(ValueError, match="must be built"):
        keras_loss(keras.Sequential([layers.Dense(3)]))


@pytest.mark.slow
def test_a_loss_that_reads_keras_variables_by_itself_becomes_pure() -> None:
    model, (x, y) = make("functional"), data()
    loss_of = keras.losses.SparseCategoricalCrossentropy()
    model.train_on_batch(x, y)
    before = state(model)

    loss_fn = variables_loss(
        lambda x, y: loss_of(y, model(x, training=True)), model.trainable_variables
    )
    found = CurvatureProbe(loss_fn, eigen_products=4).measure(networks.values(model), (x, y))

    assert state(model) == before
    assert found.top.value > found.lowest.value
    assert found.loss == pytest.approx(
        float(keras_loss(model)(networks.values(model), x, y)), rel=1e-5
    )


@pytest.mark.slow
def test_preconditioned_sharpness_of_a_model_in_training() -> None:
    model = networks.compiled("dense")
    x, y = networks.batch(model)
    model.train_on_batch(x, y)
    diagonal = keras_preconditioner(model.optimizer, model.trainable_variables)

    found = CurvatureProbe(keras_loss(model)).measure(
        networks.values(model), (x, y), preconditioner=diagonal
    )

    assert found.preconditioned is not None
    assert found.preconditioned.value > found.top.value
