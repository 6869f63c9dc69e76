"""A training that is killed and resumed in a new process, as on a cluster that takes machines."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tensorboard_gradhealth.storage.reader import UnknownName, UnreadableRun
from tests.logs import read_run

pytestmark = pytest.mark.slow

TRAIN = """
import sys
import keras
import numpy as np
import tensorboard_gradhealth as gradhealth

log_dir, first_step, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
model.build((None, 4))
model.compile(keras.optimizers.SGD(1e-3), "mse")
model.optimizer.build(model.trainable_variables)
model.optimizer.iterations.assign(first_step)
x = np.random.default_rng(0).normal(size=(320, 4))
callback = gradhealth.HealthCallback(log_dir, verbose=0)
model.fit(x, x[:, :1], epochs=epochs, verbose=0, callbacks=[callback])
"""


def start(log_dir: Path, first_step: int, epochs: int) -> subprocess.Popen[bytes]:
    arguments = [str(log_dir), str(first_step), str(epochs)]
    return subprocess.Popen([sys.executable, "-c", TRAIN, *arguments])


def wait_for_records(log_dir: Path, count: int) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if read_run(log_dir).kept >= count:
                return
        except (UnknownName, UnreadableRun, FileNotFoundError):
            pass  # the other process has not written it yet, or not in full
        time.sleep(0.2)
    raise AssertionError(f"There are no {count} records after 90 seconds.")


def test_a_killed_training_goes_on_in_a_new_process(tmp_path: Path) -> None:
    killed = start(tmp_path, 0, epochs=10**6)
    try:
        wait_for_records(tmp_path, 80)
    finally:
        killed.kill()
        killed.wait()
    before = read_run(tmp_path).records()
    checkpoint = before[70].step + 1

    resumed = start(tmp_path, checkpoint, epochs=30)
    assert resumed.wait(timeout=120) == 0
    run = read_run(tmp_path)
    records = run.records()
    assert run.last_step == checkpoint + 299
    assert run.written == run.kept
    assert [r.step for r in records[:71]] == [r.step for r in before[:71]]
    later = [r.step - r.first_step + 1 for r in records[71:-1]]
    assert later and set(later) == {10}
