"""`HealthMonitor` records what happened in a loop of one's own, whatever the optimizer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.training import loops
from tests.training.everywhere import by_hand
from tests.training.everywhere.cases import CASES

pytestmark = pytest.mark.slow


def observe(name: str, traced: bool, log_dir: Path) -> RunReader:
    """Trains a case for one epoch in a loop, and returns its log."""
    model = CASES[name].make()
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            predictions = model(x, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, predictions))
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    monitor = gradhealth.HealthMonitor(log_dir, model=model, optimizer=optimizer, verbose=0)
    function = tf.function(step) if traced else step
    for batch in by_hand.batches(CASES[name].data()):
        monitor.step(function, *batch)
    monitor.close()
    return RunReader(open_log_dir(log_dir), None, "", ".")


def column(run: RunReader, signal: str) -> np.ndarray:
    """Returns float32 `[steps]`, the first row of a signal."""
    absent = np.full((1, 3), NOT_MEASURED)
    return np.array([record.signals.get(signal, absent)[0, 0] for record in run.records()])


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", ["accumulation", "mixed_float16", "weight decay and constraint"])
def test_a_loop_is_recorded_as_it_was(name: str, traced: bool, tmp_path: Path) -> None:
    run = observe(name, traced, tmp_path)
    steps = by_hand.train(CASES[name].make(), CASES[name].data())
    finite = np.array([np.isfinite(step.norms).all() for step in steps])
    changed = finite & np.array([step.ratios[0] > 0 for step in steps])
    norms = np.array([np.linalg.norm(step.norms) for step in steps])
    measured = column(run, "gradient_global_norm")
    np.testing.assert_allclose(measured[finite], norms[finite], rtol=0.01)
    assert (measured[~finite] == NOT_MEASURED).all()
    ratios = np.array([step.ratios[0] for step in steps])
    measured = column(run, "update_ratio")
    np.testing.assert_allclose(measured[changed], ratios[changed], rtol=0.01)
    assert (measured[~changed] == NOT_MEASURED).all()
    if not finite.all():
        assert (column(run, "skipped_steps") == ~finite).all()
    assert set(run.info().not_measured) == loops.UNMEASURED
