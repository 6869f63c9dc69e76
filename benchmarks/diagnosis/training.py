"""Trains one run of the suite and keeps what is needed to judge it."""

from __future__ import annotations

import dataclasses
import functools
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import keras
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from benchmarks.diagnosis.architectures import build, load_data
from benchmarks.diagnosis.bodies import PARTS, SEEDS
from benchmarks.diagnosis.faults import FAULTS, Fault
from benchmarks.diagnosis.healthy import HEALTHY, Healthy
from benchmarks.diagnosis.recorder import SeriesRecorder
from benchmarks.diagnosis.setups import Setup

RUNS_PER_PROCESS = 40
"""TensorFlow does not give back all that a run took."""

CASES: dict[str, Sequence[Fault | Healthy]] = {"fault": FAULTS, "healthy": HEALTHY}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: a fault or a way to train well, on a body and task, with a seed."""

    kind: str
    name: str
    on: str
    seed: int

    @property
    def path(self) -> str:
        """Of its directory below the log directory, unique."""
        return f"{self.kind}/{self.name}/{self.on.replace('/', '-')}/{self.seed}"

    @property
    def setup(self) -> Setup:
        """How it is trained."""
        case = next(case for case in CASES[self.kind] if case.name == self.name)
        body, task = self.on.split("/")
        return case.change(Setup(body, task))


def runs(part: str, seeds: int, only: str = "", first_seed: int | None = None) -> Iterator[Run]:
    """Yields the runs of a part of the suite, seed by seed.

    Every case is trained once per seed, on the next of those of its architectures that belong to
    the part.

    Args:
      part: Name in `PARTS`.
      seeds: How many.
      only: Must be in the paths of the runs.
      first_seed: That of the first turn; the part's own, if not given.
    """
    first_seed = SEEDS[part] if first_seed is None else first_seed
    for turn in range(seeds):
        for kind, cases in CASES.items():
            for index, case in enumerate(cases):
                places = [on for on in case.on.split() if on.split("/")[0] in PARTS[part]]
                if places:
                    on, seed = places[(index + turn) % len(places)], first_seed + turn
                    run = Run(kind, case.name, on, seed)
                    if only in run.path:
                        yield run


def train_all(todo: Sequence[Run], log_dir: Path, preset: str, jobs: int) -> Iterator[str]:
    """Trains those of the runs that `log_dir` does not hold yet, and yields their paths.

    Args:
      todo: Trained in this order.
      log_dir: Holds a directory for each of them.
      preset: Of `HealthCallback`.
      jobs: Processes that train at the same time, on one core each.
    """
    work = functools.partial(train, log_dir=log_dir, preset=preset)
    context = multiprocessing.get_context("spawn")
    batch = jobs * RUNS_PER_PROCESS
    for start in range(0, len(todo), batch):
        with ProcessPoolExecutor(jobs, context, _take_one_core) as pool:
            yield from pool.map(work, todo[start : start + batch])


def _take_one_core() -> None:
    """The networks are small, and on one core a seed always gives the same numbers."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def train(run: Run, log_dir: Path, preset: str = "standard") -> str:
    """Trains a run into `log_dir / run.path`, which it returns.

    A run that is there already is left as it is.
    """
    directory = log_dir / run.path
    if (directory / "run.json").exists():
        return run.path
    started = time.monotonic()
    keras.backend.clear_session()
    keras.utils.set_random_seed(run.seed)
    setup = run.setup
    data = load_data(setup, run.seed)
    model = build(setup, data)
    recorder = SeriesRecorder(data, setup.task)
    health = gradhealth.HealthCallback(directory, preset=preset, verbose=0)
    history = model.fit(
        data.x,
        data.y,
        batch_size=setup.batch_size,
        epochs=setup.epochs,
        validation_data=(data.x_val, data.y_val),
        validation_batch_size=len(data.x_val),
        verbose=0,
        callbacks=[recorder, health],
        **setup.fit(data),
    )
    recorder.series().save(directory / "series.npz")
    outcome = {
        "kind": run.kind,
        "name": run.name,
        "on": run.on,
        "seed": run.seed,
        "seconds": round(time.monotonic() - started, 2),
        "history": {name: [float(v) for v in values] for name, values in history.history.items()},
    }
    (directory / "run.json").write_text(json.dumps(outcome))
    return run.path
