"""Writes a run of Gradient Health into an event file; docs/log_format.md is the contract."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from tensorboard_gradhealth.storage import codec, files
from tensorboard_gradhealth.storage.lock import DirectoryLock
from tensorboard_gradhealth.types import Finding, Flight, Record, RuleState, RunInfo

REMOTE_FLUSH_SECONDS = 2.0
"""Between two flushes to a remote file system, of which some send the whole file again. On a local
one each record is handed to the operating system at once: a process that is killed loses none."""


class LogDirError(OSError):
    """A log directory cannot be created or written; the message names it."""


class RunWriter:
    """Writes the events of one run, in one file of its own.

    A run that is resumed opens a further file in the same directory; the reader joins them. From
    its first record to `pause` or `close`, a writer has the directory to itself.
    Not safe for use by several threads at once.

    Attributes:
      log_dir: The directory.
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        """Creates the directory where it is missing, and an event file in it.

        Args:
          log_dir: A local directory, or any path that TensorFlow can write to.

        Raises:
          LogDirError: The directory cannot be created or written, or another process is writing
            to it.
        """
        self.log_dir = os.fspath(log_dir)
        self._next_flush = 0.0
        self._last_record = -1
        self._lock = DirectoryLock(self.log_dir)
        with self._naming_log_dir():
            _make_directory(self.log_dir)
            self._lock.acquire()  # before there is a file of ours in somebody else's run
            # The reader orders events by wall time (docs/log_format.md), so a clock that stands
            # still or was set back, even between two processes, must not show.
            self._last_wall_time = _last_change(self.log_dir)
            self._path = os.path.join(self.log_dir, _file_name(self._last_wall_time))
            self._file = _open_records(self._path)
        self._write(event_pb2.Event(file_version="brain.Event:2"))
        self.pause()

    def write_info(self, info: RunInfo, step: int) -> None:
        """Writes what is known of the run: once before its first record, and after changes."""
        self._write_values(codec.info_values(info), step)

    def write_record(self, record: Record, wall_time: float | None = None) -> None:
        """Writes all signals of a window of steps.

        Args:
          record: Its signals have shape `[rows, fields]`, one row per row of the `RunInfo`.
          wall_time: Seconds since the epoch; now, if not given.

        Raises:
          ValueError: A signal does not have two dimensions, or the record is not newer than the
            one before: to go back to a checkpoint takes a writer of its own.
          LogDirError: The file cannot be written, or another writer has taken the directory.
        """
        if record.step <= self._last_record:
            raise ValueError(
                f"The record of step {record.step} comes after that of step {self._last_record} in "
                f"{self.log_dir!r}; the steps of one writer have to increase."
            )
        self._write_values(codec.record_values(record), record.step, wall_time)
        self._last_record = record.step

    def add_signals(self, record: Record) -> None:
        """Adds signals to the record that was written last, which has its step and lacks them."""
        values = [codec.signal_value(name, array) for name, array in record.signals.items()]
        self._write_values(values, record.step)

    def write_findings(
        self, findings: Iterable[Finding], states: Iterable[RuleState], step: int
    ) -> None:
        """Writes all findings and rule states so far, and makes them visible at once."""
        self._write_values(codec.findings_values(findings, states), step)
        self.flush()

    def write_flight(self, flight: Flight, step: int) -> None:
        """Writes the single steps before the record of `step`, at which findings opened."""
        self._write_values(codec.flight_values(flight), step)

    def pause(self) -> None:
        """Flushes, and lets others write to the directory until this one writes again."""
        self.flush()
        self._lock.release()

    def flush(self) -> None:
        """Hands what was written to the operating system, where a TensorBoard can see it."""
        with self._naming_log_dir():
            self._file.flush()
            if not files.is_remote(self._path) and not os.path.exists(self._path):
                raise FileNotFoundError("somebody has removed the event file")
        self._next_flush = time.monotonic() + REMOTE_FLUSH_SECONDS

    def close(self) -> None:
        """Flushes and closes the file; nothing can be written afterwards."""
        with self._naming_log_dir():
            self._file.close()
        self._lock.release()

    def _write_values(self, values: list[Any], step: int, wall_time: float | None = None) -> None:
        summary = summary_pb2.Summary(value=values)
        self._write(event_pb2.Event(step=step, summary=summary), wall_time)
        if not files.is_remote(self._path) or time.monotonic() >= self._next_flush:
            self.flush()

    def _write(self, event: Any, wall_time: float | None = None) -> None:
        if wall_time is None:
            wall_time = max(time.time(), math.nextafter(self._last_wall_time, math.inf))
        self._last_wall_time = event.wall_time = wall_time
        with self._naming_log_dir():
            self._lock.acquire()
            self._file.write(event.SerializeToString())

    @contextlib.contextmanager
    def _naming_log_dir(self) -> Iterator[None]:
        tensorflow = sys.modules.get("tensorflow")
        failures = (OSError, tensorflow.errors.OpError) if tensorflow else (OSError,)
        try:
            yield
        except failures as error:
            raise LogDirError(
                f"Cannot write to the log directory {self.log_dir!r}: {error}"
            ) from error


def _make_directory(log_dir: str) -> None:
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        tensorflow.io.gfile.makedirs(log_dir)
    else:
        os.makedirs(log_dir, exist_ok=True)


def _last_change(log_dir: str) -> float:
    """Returns when an event file of a directory was last written, by whatever clock there was."""
    if files.is_remote(log_dir):
        return 0.0
    return max(map(os.path.getmtime, files.event_files(log_dir)), default=0.0)


def _open_records(path: str) -> Any:
    """Opens a new event file as an object with `write(bytes)`, `flush()` and `close()`.

    TensorFlow's writer computes checksums in C++ and knows remote file systems, but importing
    TensorFlow takes seconds; it is used only where the process has imported it already.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        return tensorflow.io.TFRecordWriter(path)
    return RecordWriter(open(path, "xb"))


def _file_name(after: float) -> str:
    """TensorBoard reads the files of a run in the order of their names: time comes first."""
    seconds, nanoseconds = divmod(max(time.time_ns(), int(after * 10**9) + 1), 10**9)
    host = socket.gethostname()
    return f"events.out.tfevents.{seconds:010d}.{host}.{os.getpid()}.{nanoseconds:09d}.gradhealth"
