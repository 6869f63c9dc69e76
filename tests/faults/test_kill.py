"""A training that is killed over and over, and goes on from its checkpoint each time.

As on a cluster that takes machines: without warning, at any point of any step. Its processes are
forked from one that has imported TensorFlow, so that fifty of them take minutes.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np
import pytest

from tensorboard_gradhealth.storage.reader import UnknownName
from tensorboard_gradhealth.training.host.windows import WindowFolder
from tests.effort import effort
from tests.logs import read_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

KILLS = effort(5, 50)
STEPS_PER_LIFE = 150
"""Each process takes up to so many steps before it is killed."""

CHECKPOINT_EVERY = 20
WINDOW, BUDGET = 10, 1500
"""As in a callback that is told nothing else."""
PATIENCE = 1200.0
"""Seconds for a life that takes a few: only one that hangs is to be given up."""


def train(log_dir: str, checkpoint: str, last: int, taken: Synchronized[int]) -> None:
    """Trains to step `last`, from the checkpoint if there is one.

    Args:
      log_dir: Of the monitor; "" for a training without.
      checkpoint: Path of the weights, of which a whole one is there at any time.
      last: Steps to take in all.
      taken: Where to say how many steps were taken.
    """
    import keras

    import tensorboard_gradhealth as gradhealth

    class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            taken.value = steps = int(self.model.optimizer.iterations)
            if steps % CHECKPOINT_EVERY == 0 or steps == last:
                np.savez(checkpoint + ".new.npz", *state(self.model))
                os.replace(checkpoint + ".new.npz", checkpoint)

    def state(model: keras.Model) -> list[np.ndarray]:
        return [v.numpy() for v in [*model.trainable_variables, *model.optimizer.variables]]

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(keras.optimizers.SGD(1e-2, momentum=0.9), "mse")
    model.optimizer.build(model.trainable_variables)
    if os.path.exists(checkpoint):
        with np.load(checkpoint) as saved:
            variables = [*model.trainable_variables, *model.optimizer.variables]
            for variable, value in zip(variables, saved.values(), strict=True):
                variable.assign(value)
    x = np.random.default_rng(0).normal(size=(last, 8, 4)).astype(np.float32)
    rest = x[int(model.optimizer.iterations) :].reshape(-1, 4)
    monitors = [gradhealth.HealthCallback(log_dir, verbose=0)] if log_dir else []
    model.fit(
        rest,
        rest[:, :1],
        batch_size=8,
        shuffle=False,
        verbose=0,
        callbacks=[*monitors, Checkpoint()],
    )


class Lives:
    """Starts the same training again and again."""

    def __init__(self, log_dir: str, checkpoint: Path, last: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            ["keras", "tensorboard_gradhealth.training.keras_callback"]
        )
        self.taken: Synchronized[int] = self._context.Value("q", 0)
        self._arguments = (log_dir, str(checkpoint), last, self.taken)

    def whole(self) -> None:
        """Trains to the end."""
        process = self._context.Process(target=train, args=self._arguments)
        process.start()
        process.join(PATIENCE)
        assert process.exitcode == 0

    def killed_after(self, steps: int, delay: float) -> int:
        """Kills a training `delay` seconds after this step; returns how many were taken."""
        process = self._context.Process(target=train, args=self._arguments)
        process.start()
        deadline = time.monotonic() + PATIENCE
        while self.taken.value < steps:
            assert process.is_alive() and time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(delay)
        process.kill()
        process.join()
        return int(self.taken.value)


def test_a_training_that_is_killed_again_and_again_leaves_one_whole_log(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    last = KILLS * STEPS_PER_LIFE + 300
    chance = random.Random(0)  # noqa: S311
    disturbed, undisturbed = tmp_path / "disturbed.npz", tmp_path / "undisturbed.npz"
    lives, log_dir = Lives(str(tmp_path / "log"), disturbed, last), tmp_path / "log"
    for _ in range(KILLS):
        goal = lives.taken.value + chance.randrange(1, STEPS_PER_LIFE)
        taken = lives.killed_after(goal, delay=chance.uniform(0.0, 0.02))
        try:
            run = read_run(log_dir)
        except UnknownName:  # killed before the first window was told
            assert taken <= 1
            continue
        under_way = WindowFolder(WINDOW, BUDGET)
        under_way.resume(run.written)
        lost = "more than the window under way is lost"
        assert run.last_step >= taken - 2 - under_way.length, lost
    lives.whole()
    Lives("", undisturbed, last).whole()
    assert same_weights(disturbed, undisturbed)

    run = read_run(log_dir)
    records = run.records()
    assert run.kept == run.written == len(records)
    assert records[-1].step == last - 1
    for before, after in itertools.pairwise(records):
        assert before.step < after.first_step, "a step is there twice"
        # What lies between a checkpoint and the end of its window was forgotten with the window;
        # that is all of it where the kill came between a window's last step and its record.
        assert after.first_step - before.step - 1 <= under_way.length
    losses = [record.signals["loss"] for record in records if "loss" in record.signals]
    assert np.isfinite(losses).all() and len(losses) == len(records)
    record_property("faults injected", KILLS)


def same_weights(one: Path, other: Path) -> bool:
    with np.load(one) as a, np.load(other) as b:
        return a.files == b.files and all(np.array_equal(a[name], b[name]) for name in a.files)
