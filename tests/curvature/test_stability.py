"""Limits and preconditioners, against what the optimizers themselves do."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.curvature import (
    NotMeasurable,
    keras_limit,
    keras_preconditioner,
    stability_limit,
)

RATE = 0.01

Optimizer = keras.optimizers.Optimizer

LINEAR: dict[str, dict[str, Any]] = {
    "gradient descent: 2/η": {},
    "heavy ball: 3.8/η": {"momentum": 0.9},
    "Nesterov: 1.36/η": {"momentum": 0.9, "nesterov": True},
}


def distances(optimizer: Optimizer, curvatures: list[float]) -> list[float]:
    """Returns how far from the minimum of curvature x^2 / 2 an optimizer ends, starting at 1."""
    x = keras.Variable(np.ones(len(curvatures)), dtype="float32")
    optimizer.build([x])
    for _ in range(150):
        optimizer.apply([tf.constant(curvatures) * x.value], [x])
    return [float(abs(value)) for value in x.numpy()]


@pytest.mark.parametrize("name", LINEAR)
def test_sgd_comes_nearer_below_its_limit_and_departs_above_it(name: str) -> None:
    limit = keras_limit(keras.optimizers.SGD(RATE, **LINEAR[name]))

    below, above = distances(
        keras.optimizers.SGD(RATE, **LINEAR[name]), [0.98 * limit.value, 1.02 * limit.value]
    )

    assert below < 1.0 < above
    assert limit.name == name
    assert limit.sharpness == "hessian"


@pytest.mark.parametrize("beta_1", [0.0, 0.5, 0.9])
def test_limit_of_adam_is_that_of_an_average_of_gradients_divided_by_a_fixed_diagonal(
    beta_1: float,
) -> None:
    limit = stability_limit("Adam", RATE, beta_1=beta_1)

    def growth(sharpness: float) -> float:
        pull = (1.0 - beta_1) * sharpness
        step = np.array([[beta_1, pull], [-RATE * beta_1, 1.0 - RATE * pull]])
        return float(np.max(np.abs(np.linalg.eigvals(step))))

    assert growth(0.999 * limit.value) < 1.0 < growth(1.001 * limit.value)
    assert limit.sharpness == "preconditioned"


def test_limits_of_the_papers() -> None:
    assert stability_limit("SGD", 0.1).value == pytest.approx(20.0)
    assert stability_limit("Adam", 0.1).value == pytest.approx(380.0)
    assert stability_limit("Adam", 0.1).name == "Adam: 38/η"
    assert stability_limit("adamw", 0.1).name == "AdamW: 38/η"
    assert stability_limit("RMSprop", 0.1).name == "RMSprop: 2/η"
    assert stability_limit("RMSprop", 0.1, momentum=0.5).name == "RMSprop: 3/η"
    assert stability_limit("Adagrad", 0.1).value == pytest.approx(20.0)


def test_margin_is_one_at_the_edge_and_carries_nan() -> None:
    limit = stability_limit("sgd", 0.5)

    assert limit.margin(4.0) == 1.0
    assert limit.margin(8.0) == 2.0
    assert math.isnan(limit.margin(math.nan))
    assert stability_limit("sgd", 0.0).margin(4.0) == 0.0


def test_says_why_there_is_no_limit() -> None:
    with pytest.raises(NotMeasurable, match="same length however small"):
        keras_limit(keras.optimizers.Lion(RATE))
    with pytest.raises(NotMeasurable, match="no stability limit is known for Adafactor"):
        keras_limit(keras.optimizers.Adafactor(RATE))


def test_refuses_numbers_that_no_optimizer_has() -> None:
    with pytest.raises(ValueError, match="learning_rate must not be negative, got -1"):
        stability_limit("sgd", -1.0)
    with pytest.raises(ValueError, match=r"momentum must be at least 0 and below 1, got 1\.5"):
        stability_limit("sgd", 1.0, momentum=1.5)


def test_limit_follows_a_learning_rate_schedule_and_looks_inside_a_loss_scaler() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(schedule))
    x = keras.Variable([1.0])
    optimizer.build([x])

    before = keras_limit(optimizer)
    optimizer.inner_optimizer.apply([tf.constant([1.0])], [x])

    assert before.name == "Adam: 38/η"
    assert keras_limit(optimizer).value == pytest.approx(2.0 * before.value)


DIVIDING: dict[str, Optimizer] = {
    "Adam": keras.optimizers.Adam(RATE, epsilon=1e-3),
    "Adam with amsgrad": keras.optimizers.Adam(RATE, amsgrad=True),
    "AdamW": keras.optimizers.AdamW(RATE, weight_decay=0.0),
    "RMSprop": keras.optimizers.RMSprop(RATE),
    "RMSprop, centered": keras.optimizers.RMSprop(RATE, centered=True),
    "Adagrad": keras.optimizers.Adagrad(RATE),
}


@pytest.mark.parametrize("name", DIVIDING)
def test_preconditioner_is_what_the_last_step_was_divided_by(name: str) -> None:
    optimizer = DIVIDING[name]
    first, second = keras.Variable([1.0, 2.0]), keras.Variable([[3.0]])
    optimizer.build([first, second])
    for step in range(1, 4):
        gradients = [tf.constant([1.0, -0.5]) / step**2, tf.constant([[0.1 * step]])]
        before = [first.numpy(), second.numpy()]
        optimizer.apply(gradients, [first, second])
    changes = [after.numpy() - start for after, start in zip([first, second], before, strict=True)]

    diagonal = keras_preconditioner(optimizer, [second, first])

    averages = getattr(optimizer, "_momentums", None) or gradients
    for index, variable in enumerate(["second", "first"]):
        average = np.asarray(averages[1 - index])
        expected = -RATE * average / np.asarray(diagonal[index])
        np.testing.assert_allclose(changes[1 - index], expected, rtol=2e-4, err_msg=variable)


def test_says_why_there_is_no_preconditioner() -> None:
    variables = [keras.Variable([1.0])]
    with pytest.raises(NotMeasurable, match="SGD does not divide"):
        keras_preconditioner(keras.optimizers.SGD(), variables)
    with pytest.raises(NotMeasurable, match="Adam has not taken a step yet"):
        keras_preconditioner(keras.optimizers.Adam(), variables)
