"""Reads a log directory from disk without a TensorBoard, and without importing TensorFlow.

TensorBoard's own in-process loader imports TensorFlow when it is installed (seconds), checks every
byte in pure Python when it is not, and drops points. Its data server holds all points of all runs
in memory, and sends whole tags only. What the reader needs is less.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Hashable
from typing import Any

from tensorboard.data import provider

from tensorboard_gradhealth.storage import files, metadata
from tensorboard_gradhealth.storage.event_log import EventLog, LoggedTag
from tensorboard_gradhealth.storage.memory import Memory
from tensorboard_gradhealth.storage.points import Points
from tensorboard_gradhealth.storage.tags import explaining, unknown_run


class LocalTags:
    """Tags of a log on this machine, as they were when this was made."""

    def __init__(self, log: EventLog, run: str) -> None:
        """Reads what is new in the log.

        Raises:
          UnknownName: It holds nothing of this plugin.
          UnreadableRun: A file cannot be opened, or was written by a newer version, or the metadata
            is damaged.
        """
        self._log = log  # keeps the index, for those who come later
        with explaining("the event files"):
            self._tags = log.follow()
        if not self._tags:
            raise unknown_run(run)
        for tag in self._tags.values():
            metadata.parse_plugin_metadata(tag.content)
        self.names = tuple(self._tags)

    def read(self, tag: str, value_bytes: int = 1) -> Points:
        """See `Tags`; the values are read from the file when they are asked for."""
        return self._tags[tag].points if tag in self._tags else Points.none()


class LocalProvider:
    """The runs of a log directory; in part a `DataProvider`, as TensorBoard calls it.

    Runs are named as TensorBoard names them: by their path below the log directory, `.` for the
    directory itself. Safe for use by several threads.
    """

    def __init__(self, log_dir: str | os.PathLike[str], memory: Memory | None = None) -> None:
        """Reads nothing yet.

        Args:
          log_dir: It need not exist yet.
          memory: Where to keep what was read.
        """
        self._log_dir = os.fspath(log_dir)
        self._memory = Memory() if memory is None else memory
        self._lock = threading.Lock()
        # A log is of use as long as somebody holds tags that were read from it.
        self._logs: weakref.WeakValueDictionary[str, EventLog] = weakref.WeakValueDictionary()

    def tags(self, run: str) -> LocalTags:
        """Returns the tags of a run as they are now; raises what `LocalTags` raises."""
        with self._lock:
            log = self._logs.get(run)
            if log is None:
                log = self._logs[run] = EventLog(self._directory(run), self._memory)
        return LocalTags(log, run)

    def state(self, run: str) -> Hashable:
        """Returns a value that changes whenever the files of a run do; None if it has none here."""
        return tuple(files.event_files(self._directory(run)).items()) or None

    def list_tensors(
        self,
        ctx: Any,
        *,
        experiment_id: str,
        plugin_name: str,
        run_tag_filter: provider.RunTagFilter | None = None,
    ) -> dict[str, dict[str, provider.TensorTimeSeries]]:
        """See `tensorboard.data.provider.DataProvider.list_tensors`; knows this plugin's only."""
        return {
            run: {tag: _describe(logged) for tag, logged in tags.items()}
            for run, tags in self._select(run_tag_filter).items()
        }

    def read_tensors(
        self,
        ctx: Any,
        *,
        experiment_id: str,
        plugin_name: str,
        downsample: int,
        run_tag_filter: provider.RunTagFilter | None = None,
    ) -> dict[str, dict[str, list[provider.TensorDatum]]]:
        """See `DataProvider.read_tensors`; `downsample` is ignored: all points are returned."""
        return {
            run: {tag: _data(logged.points) for tag, logged in tags.items()}
            for run, tags in self._select(run_tag_filter).items()
        }

    def _directory(self, run: str) -> str:
        return self._log_dir if run == "." else os.path.join(self._log_dir, run)

    def _select(self, wanted: provider.RunTagFilter | None) -> dict[str, dict[str, LoggedTag]]:
        runs, tags = (None, None) if wanted is None else (wanted.runs, wanted.tags)
        found = {
            run: EventLog(directory, self._memory).follow()
            for run, directory in files.run_directories(self._log_dir)
            if runs is None or run in runs
        }
        return {
            run: {tag: item for tag, item in logged.items() if tags is None or tag in tags}
            for run, logged in found.items()
            if logged
        }


def open_log_dir(log_dir: str | os.PathLike[str]) -> LocalProvider:
    """Opens a log directory, for use where TensorBoard would hand over its data provider.

    Args:
      log_dir: A local directory, or a remote one (`gs://...`) where TensorFlow is imported already.

    Raises:
      FileNotFoundError: There is no such directory.
    """
    path = os.fspath(log_dir)
    if not files.is_directory(path):
        where = "" if files.is_remote(path) else " on this machine"
        raise FileNotFoundError(f"There is no log directory {path!r}{where}.")
    return LocalProvider(path)


def _describe(logged: LoggedTag) -> provider.TensorTimeSeries:
    return provider.TensorTimeSeries(
        max_step=int(logged.points.steps.max()),
        max_wall_time=float(logged.points.wall_times.max()),
        plugin_content=logged.content,
        description="",
        display_name="",
    )


def _data(points: Points) -> list[provider.TensorDatum]:
    times = zip(points.steps.tolist(), points.wall_times.tolist(), points.values, strict=True)
    return [provider.TensorDatum(step=s, wall_time=w, numpy=value) for s, w, value in times]
