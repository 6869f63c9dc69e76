"""Small logs for tests of what reads them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tensorboard_gradhealth.storage import codec, event_log, metadata
from tensorboard_gradhealth.storage.plugin_data_pb2 import PluginData
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Finding, Flight, Record, Row, RunInfo, SignalSpec

ROWS = (Row("a/kernel", "a", "kernel", 32), Row("b/kernel", "b", "kernel", 8))

NORM = SignalSpec(
    "gradient_norm",
    "Gradient norm",
    "loss / parameter",
    "variable",
    scale="log",
    healthy=(1e-6, None),
    description="Norm of the gradient.",
)

LOSS = SignalSpec("loss", "Loss", "loss", "run")


def info(rows: tuple[Row, ...] = ROWS) -> RunInfo:
    return RunInfo(
        rows={"variable": rows},
        signals={spec.name: spec for spec in (NORM, LOSS)},
        facts={"optimizer": "sgd"},
        not_measured={"dead_fraction": "The model has no activations."},
    )


def record(step: int, written: int = 0, value: float = 0.0, rows: int = 2) -> Record:
    """A record whose numbers say where they belong: step + row / 10 + value."""
    norm = np.float32(step + value) + np.arange(rows, dtype=np.float32)[:, None] / 10
    signals = {
        "gradient_norm": np.repeat(norm, 3, axis=1),
        "loss": np.full((1, 3), step + value, np.float32),
    }
    return Record(step, step, signals, written)


def write_run(log_dir: Path, steps: Iterable[int], value: float = 0.0) -> None:
    """Writes a run as one process does; a second call resumes it."""
    writer = RunWriter(log_dir)
    for written, step in enumerate(steps, start=1):
        if written == 1:
            writer.write_info(info(), step)
        writer.write_record(record(step, written, value))
    writer.close()


def write_newer_run(log_dir: Path) -> None:
    """Writes a run as a later version of this package might."""
    values = codec.info_values(info())
    for value in values:
        content = PluginData(version=metadata.VERSION + 1).SerializeToString()
        value.metadata.plugin_data.content = content
    write_values(log_dir, values)


def write_values(log_dir: Path, values: Sequence[Any]) -> None:
    """Writes values at step 0 with TensorBoard's own writer, which does not look at them."""
    writer = EventFileWriter(str(log_dir))
    summary = summary_pb2.Summary(value=values)
    writer.add_event(event_pb2.Event(step=0, wall_time=time.time(), summary=summary))
    writer.close()


def finding(name: str = "dead_units", **changes: object) -> Finding:
    values = {
        "id": name,
        "rule": name,
        "code": "GH999",
        "severity": "warning",
        "title": f"About `{name}`",
        "first_step": 1,
        "last_step": 2,
        "open": True,
        **changes,
    }
    return Finding(**values)  # type: ignore[arg-type]


def flight(*findings: str, first_step: int = 3, steps: int = 5) -> Flight:
    """A flight whose numbers say where they belong: step + row / 10."""
    numbers = np.arange(first_step, first_step + steps, dtype=np.float32)[:, np.newaxis]
    norm = (numbers + np.arange(2) / 10).astype(np.float32)
    return Flight(findings, first_step, {"gradient_norm": norm, "loss": numbers.copy()})


def events(path: str | Path) -> list[Any]:
    """Returns the events of a file."""
    with open(path, "rb") as file:
        return [event_pb2.Event.FromString(body) for body in event_log.event_bodies(file)]


def read_run(log_dir: Path, run: str = ".") -> RunReader:
    return RunReader(open_log_dir(log_dir), None, "", run)


def flown(log_dir: Path) -> RunReader:
    """A run with a flight of two findings over steps 3 to 7."""
    writer = RunWriter(log_dir)
    writer.write_info(info(), 7)
    writer.write_record(record(7), wall_time=100.0)
    writer.write_flight(flight("dead_units", "loss_spike"), 7)
    writer.close()
    return read_run(log_dir)
