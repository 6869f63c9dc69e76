"""Writes summaries into a run and reads them back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tensorboard_gradhealth.types import FOLDED
from tests.logs import read_run


def write(log_dir: Path, steps: Iterable[tuple[int, Iterable[Any]]]) -> None:
    """Writes (step, summaries) pairs through TensorBoard's own writer."""
    writer = EventFileWriter(str(log_dir))
    for step, summaries in steps:
        for summary in summaries:
            writer.add_event(event_pb2.Event(step=step, wall_time=time.time(), summary=summary))
    writer.close()


def last(log_dir: Path) -> dict[str, np.ndarray]:
    """Returns the signals of the last record: `[rows]`, or `[rows, fields]` of statistics."""
    signals = read_run(log_dir).records()[-1].signals
    fields = {name: spec.fields for name, spec in read_run(log_dir).info().signals.items()}
    return {n: v[:, 0] if fields[n] == FOLDED else v for n, v in signals.items()}
