"""Runs for the tests in a browser: some trained, some generated, some strange."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

import tensorboard_gradhealth as gradhealth
from demo.gallery import RUNS
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import NOT_MEASURED, Record, Row, RunInfo, SignalSpec
from tests import logs as small_logs
from tests.cli.reported_runs import write_hostile

HOSTILE = "<img src=x onerror=alert(1)>"
RECORDED = ("scaling/sick", "activation/fixed", "learning_rate/sick", "root_of_zero")
STRANGE_NAMES = ("שלום/kernel", "🧪 emoji/kernel", "long_" + "x" * 295 + "/kernel", "=1+1/kernel")
STRANGER = "<img src=x onerror=alert(2)> שלום 🧪 " + "n" * 150
"""The name of a run of which every other name and text is a stranger's, too."""
FAR = 10**12
GENERATED = ("large", "unmeasured", "names", "tenfold", "only_nan", "one_point", "far", STRANGER)
ALL = (*RECORDED, "hostile", *GENERATED)


def record_all(log_dir: Path) -> None:
    """Writes all runs that the tests look at."""
    for name in RECORDED:
        record(log_dir, name)
    record_hostile(log_dir)
    write_large(log_dir / "large")
    write_strange(log_dir)
    write_hostile(log_dir / STRANGER)


def record(log_dir: Path, name: str) -> None:
    """Trains one run of the gallery."""
    keras.backend.clear_session()
    run = next(run for run in RUNS if run.name == name)
    run.train([gradhealth.HealthCallback(log_dir / name, verbose=0, **run.options)], 0)


def record_hostile(log_dir: Path) -> None:
    """Trains a network one of whose layers has markup for a name."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(8, activation="relu", name=HOSTILE)
    model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)  # a graph refuses such a name, Keras does not
    x = np.random.rand(64, 4)
    callback = gradhealth.HealthCallback(log_dir / "hostile", verbose=0)
    model.fit(x, x[:, :1], epochs=20, verbose=0, callbacks=[callback])


def write_large(log_dir: Path, layers: int = 60, points: int = 300) -> None:
    """Writes blocks of ten layers, and signals that no version of the frontend has heard of."""
    rows = tuple(
        Row(f"encoder/block_{i // 10}/dense_{i % 10}/kernel", f"encoder/block_{i // 10}/dense_{i}")
        for i in range(layers)
    )
    specs = {
        "gradient_norm": small_logs.NORM,
        "loss": small_logs.LOSS,
        "validation_loss": SignalSpec("validation_loss", "Validation loss", "loss", "run"),
        "clip_rate": SignalSpec("clip_rate", "Clipped steps", "share of steps", "run"),
        "unheard_of": SignalSpec("unheard_of", "Unheard of", "furlongs", "variable"),
    }
    writer = RunWriter(log_dir)
    writer.write_info(RunInfo(rows={"variable": rows}, signals=specs), 0)
    for step in range(points):
        norm = np.exp(-np.linspace(0, 3, layers) + np.sin(step / 40))
        signals = {
            "gradient_norm": np.stack([norm, norm / 2, norm * 2], 1).astype(np.float32),
            "loss": np.full((1, 3), 2 - step / points, np.float32),
            "clip_rate": np.full((1, 3), 0.25, np.float32),
        }
        if step % 20 == 0:
            signals["validation_loss"] = signals["loss"] + np.float32(0.05)
            signals["unheard_of"] = np.full((layers, 3), step, np.float32)
        writer.write_record(Record(step, step, signals, step + 1))
    writer.close()


def write_strange(log_dir: Path) -> None:
    """Writes runs that are legal and unusual: names, values, lengths and steps."""
    names = tuple(Row(name, name.rpartition("/")[0], "kernel") for name in STRANGE_NAMES)
    _write(log_dir / "names", range(5), names, np.ones(len(names)))
    _write(log_dir / "tenfold", range(5), names, np.full(len(names), 10.0))
    ordinary = small_logs.ROWS
    _write(log_dir / "unmeasured", range(0), names, np.ones(len(names)))
    _write(log_dir / "only_nan", range(5), ordinary, np.array([np.nan, NOT_MEASURED]))
    _write(log_dir / "one_point", range(1), ordinary, np.array([np.inf, -np.inf]))
    _write(log_dir / "far", range(FAR - 5, FAR), ordinary, np.array([1.0, 2.0]))


def _write(log_dir: Path, steps: range, rows: tuple[Row, ...], values: np.ndarray) -> None:
    writer = RunWriter(log_dir)
    writer.write_info(small_logs.info(rows), steps.start)
    matrix = np.repeat(values[:, np.newaxis], 3, axis=1).astype(np.float32)
    for written, step in enumerate(steps, start=1):
        signals = {"gradient_norm": matrix, "loss": matrix[:1]}
        writer.write_record(Record(step, step, signals, written))
    writer.close()
