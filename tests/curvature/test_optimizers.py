"""What is recorded of real trainings with each optimizer, against a reference that is slow.

The reference is the full Hessian in float64 at the weights before the last step, what the optimizer
divided by in that step, taken from its variables by hand, and the largest eigenvalue by NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tests.curvature import networks
from tests.logs import read_run

optimizers = keras.optimizers
Optimizer = keras.optimizers.Optimizer
Divisor = Callable[[Optimizer], np.ndarray]

STEPS = 21
"""The last one is the first whose curvature is looked at."""

RATE = 0.01


def state(optimizer: Optimizer, name: str) -> np.ndarray:
    """Returns one kind of an optimizer's variables, float64, one after the other."""
    chosen = [v for v in optimizer.variables if v.path.endswith(f"_{name}")]
    assert chosen, [v.path for v in optimizer.variables]
    return np.concatenate([np.asarray(v, np.float64).ravel() for v in chosen])


def adam(optimizer: Optimizer, epsilon: float = 1e-7, second: str = "velocity") -> np.ndarray:
    """1 - 0.9^t corrects the average that is divided, 1 - 0.999^t the one that divides."""
    first, both = 1 - 0.9**STEPS, np.sqrt(state(optimizer, second)) + epsilon
    return first * both / np.sqrt(1 - 0.999**STEPS)


@dataclasses.dataclass(frozen=True)
class Training:
    """An optimizer, its limit times the learning rate, and what it divides by."""

    make: Callable[[], Optimizer]
    limit: float
    name: str
    divisor: Divisor | None = None
    rate: float = RATE


def decaying() -> Any:
    return optimizers.schedules.ExponentialDecay(RATE, decay_steps=1, decay_rate=0.9)


TRAININGS: dict[str, Training] = {
    "SGD": Training(lambda: optimizers.SGD(RATE), 2.0, "gradient descent: 2/η"),
    "SGD, weight decay": Training(
        lambda: optimizers.SGD(RATE, weight_decay=0.1), 2.0, "gradient descent: 2/η"
    ),
    "SGD, schedule": Training(
        lambda: optimizers.SGD(decaying()), 2.0, "gradient descent: 2/η", rate=RATE * 0.9**STEPS
    ),
    "heavy ball": Training(lambda: optimizers.SGD(RATE, momentum=0.9), 3.8, "heavy ball: 3.8/η"),
    "Nesterov": Training(
        lambda: optimizers.SGD(RATE, momentum=0.9, nesterov=True), 3.8 / 2.8, "Nesterov: 1.36/η"
    ),
    "RMSprop": Training(
        lambda: optimizers.RMSprop(RATE),
        2.0,
        "RMSprop: 2/η",
        lambda o: np.sqrt(state(o, "velocity") + 1e-7),
    ),
    "RMSprop, centered, momentum": Training(
        lambda: optimizers.RMSprop(RATE, centered=True, momentum=0.5, epsilon=1e-3),
        3.0,
        "RMSprop: 3/η",
        lambda o: np.sqrt(state(o, "velocity") - state(o, "average_gradient") ** 2 + 1e-3),
    ),
    "Adam": Training(lambda: optimizers.Adam(RATE), 38.0, "Adam: 38/η", adam),
    "Adam, large epsilon": Training(
        lambda: optimizers.Adam(RATE, epsilon=0.1), 38.0, "Adam: 38/η", lambda o: adam(o, 0.1)
    ),
    "Adam, amsgrad": Training(
        lambda: optimizers.Adam(RATE, amsgrad=True),
        38.0,
        "Adam: 38/η",
        lambda o: adam(o, second="velocity_hat"),
    ),
    "Adam, schedule": Training(
        lambda: optimizers.Adam(decaying()), 38.0, "Adam: 38/η", adam, RATE * 0.9**STEPS
    ),
    "Adam, scaled loss": Training(
        lambda: optimizers.LossScaleOptimizer(optimizers.Adam(RATE), initial_scale=64.0),
        38.0,
        "Adam: 38/η",
        lambda o: adam(o.inner_optimizer),
    ),
    "AdamW": Training(lambda: optimizers.AdamW(RATE), 38.0, "AdamW: 38/η", adam),
    "Adagrad": Training(
        lambda: optimizers.Adagrad(RATE),
        2.0,
        "Adagrad: 2/η",
        lambda o: np.sqrt(state(o, "accumulator") + 1e-7),
    ),
}


class WeightsBefore(keras.callbacks.Callback):
    """Keeps the weights that the latest step began with."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.weights = [v.numpy() for v in self.model.trainable_variables]


def fitted(
    model: keras.Model, data: tf.data.Dataset, log_dir: Path, **options: Any
) -> list[np.ndarray]:
    """Trains for an epoch and returns the weights before its last step."""
    signals = ["hessian_top_eigenvalue", "preconditioned_sharpness", "stability_margin"]
    health = gradhealth.HealthCallback(log_dir, signals=signals, verbose=0, **options)
    before = WeightsBefore()
    model.fit(data, shuffle=False, verbose=0, callbacks=[health, before])
    return before.weights


def trained(optimizer: Optimizer, log_dir: Path) -> list[np.ndarray]:
    """Trains the dense network on one batch; returns its weights before the last step."""
    model = networks.compiled("dense")
    model.compile(optimizer, model.loss)
    data = tf.data.Dataset.from_tensors(networks.batch(model)).repeat(STEPS)
    return fitted(model, data, log_dir)


def recorded(log_dir: Path, signal: str) -> float:
    values = read_run(log_dir).series(signal).values
    return float(values[-1, 0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_sharpness_and_margin_are_those_of_the_full_hessian_and_the_state_of(
    name: str, tmp_path: Path
) -> None:
    training = TRAININGS[name]
    optimizer = training.make()

    weights = trained(optimizer, tmp_path)

    hessian = networks.full_hessian("dense", weights)
    sharpness = top = float(np.linalg.eigvalsh(hessian)[-1])
    if training.divisor is not None:
        roots = np.sqrt(training.divisor(optimizer))
        sharpness = float(np.linalg.eigvalsh(hessian / np.outer(roots, roots))[-1])
        assert recorded(tmp_path, "preconditioned_sharpness") == pytest.approx(sharpness, rel=1e-3)
    assert recorded(tmp_path, "hessian_top_eigenvalue") == pytest.approx(top, rel=1e-3)
    margin = sharpness * training.rate / training.limit
    assert recorded(tmp_path, "stability_margin") == pytest.approx(margin, rel=1e-3)
    info = read_run(tmp_path).info()
    assert info.facts["stability_limit"] == training.name
    assert "stability_margin" not in info.not_measured


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (optimizers.Lion, "Lion's steps have the same length however small the gradient is"),
        (optimizers.Adafactor, "no stability limit is known for Adafactor"),
    ],
)
def test_an_optimizer_without_limit_has_a_sharpness_and_a_reason(
    optimizer: type[Optimizer], reason: str, tmp_path: Path
) -> None:
    trained(optimizer(RATE), tmp_path)

    assert recorded(tmp_path, "hessian_top_eigenvalue") > 0
    run = read_run(tmp_path)
    assert not len(run.series("stability_margin").steps)
    assert reason in run.info().not_measured["stability_margin"]
    assert "stability_limit" not in run.info().facts


def network(activation: str = "tanh", bias: Any = "zeros") -> keras.Model:
    layers = keras.layers
    hidden = layers.Dense(8, activation=activation, bias_initializer=bias, name="hidden")
    model = keras.Sequential([keras.Input((6,)), hidden, layers.Dense(3)])
    loss = optimizers.SGD(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(*loss)
    return model


def examples(count: int) -> tf.data.Dataset:
    random = np.random.default_rng(4)
    x = random.normal(size=(count, 6)) * random.lognormal(0.0, 2.0, size=(count, 1))
    return tf.data.Dataset.from_tensor_slices((x.astype("float32"), random.integers(0, 3, count)))


@pytest.mark.slow
def test_dead_units_have_no_margin_and_are_named(tmp_path: Path) -> None:
    model = network("relu", keras.initializers.Constant(-100.0))

    fitted(model, examples(16).batch(16).repeat(STEPS), tmp_path)

    run = read_run(tmp_path)
    assert not len(run.series("stability_margin").steps)
    reason = run.info().not_measured["stability_margin"]
    assert "no gradient reaches 100% of the units of" in reason
    assert "hidden/bias" in reason


@pytest.mark.slow
def test_a_batch_that_is_not_like_the_others_has_no_margin_and_a_large_one_has(
    tmp_path: Path,
) -> None:
    for size in (1, 256):
        data = examples(256).batch(size).repeat().take(2 * STEPS)
        fitted(network(), data, tmp_path / str(size), max_share=1.0)

    small, large = read_run(tmp_path / "1"), read_run(tmp_path / "256")
    assert "the batch is far from the full one" in small.info().not_measured["stability_margin"]
    assert "stability_margin" not in large.info().not_measured
    assert len(large.series("stability_margin").steps) == 2


@pytest.mark.slow
def test_an_operation_without_second_derivative_is_named(tmp_path: Path) -> None:
    image = keras.layers.Lambda(lambda x: tf.nn.lrn(keras.ops.reshape(x, (-1, 1, 2, 4))))
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(8), image, keras.layers.Flatten()]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    fitted(model, examples(16).batch(16).repeat(STEPS), tmp_path)

    run = read_run(tmp_path)
    assert not len(run.series("hessian_top_eigenvalue").steps)
    assert "no second derivative of the operation LRNGrad" in run.info().not_measured["curvature"]
