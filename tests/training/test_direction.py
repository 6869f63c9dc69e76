"""Cosines of successive updates, where the steps in between are not measured in full."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.logs import read_run
from tests.training import loops

STEPS, BATCH = 83, 8
SIGNALS = ["loss", "update_cosine"]

Weights = list[np.ndarray]
pytestmark = pytest.mark.slow


def expected(weights: list[Weights], step: int) -> list[float]:
    """Cosines of what the `step`-th step and the one before it did, from the weights after each."""
    earlier, before, after = weights[step - 1 : step + 2]
    changes = [(b - a, c - b) for a, b, c in zip(earlier, before, after, strict=True)]
    return [
        float((one * two).sum() / (np.linalg.norm(one) * np.linalg.norm(two)))
        for one, two in changes
    ]


def measured(log_dir: Path) -> dict[int, np.ndarray]:
    records = [r for r in read_run(log_dir).records() if "update_cosine" in r.signals]
    cosines = {record.step: record.signals["update_cosine"][:, 0] for record in records}
    return {step: values for step, values in cosines.items() if (values != NOT_MEASURED).any()}


def small_model(steps_per_execution: int) -> keras.Model:
    """No variable of it has more elements than are looked at."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((12,)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "mse", steps_per_execution=steps_per_execution)
    return model


class _Notes(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Weights] = []

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        if not self.weights:
            self.on_train_batch_end(batch)

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.weights.append([each.numpy() for each in self.model.trainable_variables])


def fit(log_dir: Path, steps_per_execution: int = 1) -> list[Weights]:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(STEPS * BATCH, 12)), random.normal(size=(STEPS * BATCH, 1))
    notes, model = _Notes(), small_model(steps_per_execution)
    callback = gradhealth.HealthCallback(log_dir, signals=SIGNALS, log_every=1, verbose=0)
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[notes, callback])
    return notes.weights


def test_a_step_that_is_measured_in_full_knows_what_the_one_before_it_did(tmp_path: Path) -> None:
    weights = fit(tmp_path)
    cosines = measured(tmp_path)
    assert list(cosines) == [*range(2, 51), 60, 70, 80]  # two changes lie between three steps
    for step, values in cosines.items():
        np.testing.assert_allclose(values, expected(weights, step), atol=1e-3)


@pytest.mark.parametrize("mode", loops.MODES)
def test_so_it_does_in_a_loop(mode: str, tmp_path: Path) -> None:
    loop = loops.Loop("residual", mode)
    weights = [[each.numpy() for each in loop.model.trainable_variables]]
    with gradhealth.HealthMonitor(
        tmp_path,
        model=loop.model,
        optimizer=loop.optimizer,
        signals=SIGNALS,
        log_every=1,
        verbose=0,
    ) as monitor:
        for x, y in loops.batches(STEPS):
            monitor.step(loop.step, x, y)
            weights.append([each.numpy() for each in loop.model.trainable_variables])
    cosines = measured(tmp_path)
    assert list(cosines) == [*range(2, 51), 60, 70, 80]
    for step, values in cosines.items():
        np.testing.assert_allclose(values, expected(weights, step), atol=0.35)


def test_several_steps_in_one_execution_do_not_pass_for_one(tmp_path: Path) -> None:
    fit(tmp_path, steps_per_execution=4)
    late = [step for step in measured(tmp_path) if step > 51]
    # The first step of an execution follows on one that nobody looked at.
    assert late and all(step % 4 for step in late)
