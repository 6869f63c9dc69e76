"""Reads event files from disk without a TensorBoard, and without importing TensorFlow.

TensorBoard's own in-process loader imports TensorFlow when it is installed (seconds), checks every
byte in pure Python when it is not, and drops points. What the reader needs is this little.
"""

from __future__ import annotations

import collections
import os
import struct
import sys
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.data import provider
from tensorboard.util import tensor_util

_Tags = dict[str, list[Any]]


class LocalProvider:
    """The part of TensorBoard's `DataProvider` that the reader calls, over a local directory.

    Runs are named as TensorBoard names them: by their path below the log directory, `.` for the
    directory itself. A run is read when it is first asked for, and not again.
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        self._log_dir = os.fspath(log_dir)
        self._runs: dict[str, dict[str, _Tags]] = {}

    def list_tensors(
        self,
        ctx: Any,
        *,
        experiment_id: str,
        plugin_name: str,
        run_tag_filter: provider.RunTagFilter | None = None,
    ) -> dict[str, dict[str, provider.TensorTimeSeries]]:
        """See `tensorboard.data.provider.DataProvider.list_tensors`."""
        found = self._select(plugin_name, run_tag_filter)
        return {
            run: {tag: _describe(values) for tag, values in tags.items()}
            for run, tags in found.items()
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
        found = self._select(plugin_name, run_tag_filter)
        return {
            run: {tag: [_datum(*value) for value in values] for tag, values in tags.items()}
            for run, tags in found.items()
        }

    def _select(
        self, plugin_name: str, run_tag_filter: provider.RunTagFilter | None
    ) -> dict[str, _Tags]:
        wanted = run_tag_filter or provider.RunTagFilter()
        result = {}
        for run, paths in _event_files(self._log_dir).items():
            if wanted.runs is not None and run not in wanted.runs:
                continue
            if run not in self._runs:
                self._runs[run] = _load(paths)
            tags = self._runs[run].get(plugin_name, {})
            result[run] = {t: v for t, v in tags.items() if wanted.tags is None or t in wanted.tags}
        return {run: tags for run, tags in result.items() if tags}


def open_log_dir(log_dir: str | os.PathLike[str]) -> LocalProvider:
    """Opens a log directory, for use where TensorBoard would hand over its data provider.

    Args:
      log_dir: A local directory, or a remote one (`gs://...`) where TensorFlow is imported already.

    Raises:
      FileNotFoundError: There is no such directory.
    """
    path = os.fspath(log_dir)
    remote = _remote(path)
    if not (remote.isdir(path) if remote else os.path.isdir(path)):
        where = "" if remote else " on this machine"
        raise FileNotFoundError(f"There is no log directory {path!r}{where}.")
    return LocalProvider(path)


def _remote(path: str) -> Any:
    """Returns TensorFlow's file systems for a path that is not of this machine, else None."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow.io.gfile if tensorflow is not None and "://" in path else None


def _event_files(log_dir: str) -> dict[str, list[str]]:
    """Returns the paths of the event files by run, in the order of their names."""
    result = {}
    remote = _remote(log_dir)
    for directory, _, names in remote.walk(log_dir) if remote else os.walk(log_dir):
        paths = [os.path.join(directory, name) for name in sorted(names) if "tfevents" in name]
        if paths:
            result[os.path.relpath(directory, log_dir)] = paths
    return result


def _load(paths: list[str]) -> dict[str, _Tags]:
    """Returns (step, wall time, summary value) triples by plugin and tag.

    As in TensorBoard, the first value of a tag decides to which plugin the tag belongs.
    """
    owner: dict[str, str] = {}
    result: dict[str, _Tags] = collections.defaultdict(lambda: collections.defaultdict(list))
    for path in paths:
        for event in _events(path):
            for value in event.summary.value:
                plugin = owner.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
                result[plugin][value.tag].append((event.step, event.wall_time, value))
    return result


def _events(path: str) -> Iterator[Any]:
    """Yields the events of a file up to its end or the first damaged one, as TensorBoard does.

    Only the checksum of a record's length is verified: it guards the framing, and costs nothing.
    """
    remote = _remote(path)
    with remote.GFile(path, "rb") if remote else open(path, "rb") as file:
        while len(header := file.read(12)) == 12:
            length, checksum = struct.unpack("<QI", header)
            if checksum != masked_crc32c(header[:8]):
                return
            body = file.read(length + 4)
            if len(body) < length + 4:
                return
            try:
                yield event_pb2.Event.FromString(body[:length])
            except DecodeError:
                return


def _describe(values: list[Any]) -> provider.TensorTimeSeries:
    return provider.TensorTimeSeries(
        max_step=max(step for step, _, _ in values),
        max_wall_time=max(wall_time for _, wall_time, _ in values),
        plugin_content=values[0][2].metadata.plugin_data.content,
        description="",
        display_name="",
    )


def _datum(step: int, wall_time: float, value: Any) -> provider.TensorDatum:
    return provider.TensorDatum(
        step=step, wall_time=wall_time, numpy=tensor_util.make_ndarray(value.tensor)
    )
