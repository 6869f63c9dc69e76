"""An index of the event files of one run, which follows them as they grow.

It holds where each value is, 40 bytes for each, and no value: those are read when somebody asks,
so that a log may be larger than memory, and one signal costs nothing for the others beside it.
"""

from __future__ import annotations

import array
import contextlib
import dataclasses
import struct
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import summary_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from tensorboard_gradhealth.storage import files, metadata
from tensorboard_gradhealth.storage.frames import EventParser, ValueParser
from tensorboard_gradhealth.storage.memory import Memory
from tensorboard_gradhealth.storage.points import Block, Points, Stored, block_of, size_of

_HEADER = struct.Struct("<QI")
"""Before each event: its length, and the checksum of that."""

_MAX_EVENT_BYTES = 2**31
"""No protobuf message is larger; room is made for what is read before there is any of it."""

_CHECKSUM_BYTES = 4
"""After each event: its own checksum, which is not verified; that of the length guards the framing,
and computing the other in Python takes longer than all the rest."""

_OURS = metadata.PREFIX.encode()


@dataclasses.dataclass(slots=True)
class _Index:
    """The values of one tag; `places` holds number of the file, offset and length of each."""

    plugin: str
    content: bytes
    steps: array.array[int] = dataclasses.field(default_factory=lambda: array.array("q"))
    wall_times: array.array[float] = dataclasses.field(default_factory=lambda: array.array("d"))
    places: array.array[int] = dataclasses.field(default_factory=lambda: array.array("q"))


@dataclasses.dataclass(frozen=True, slots=True)
class LoggedTag:
    """All that the log holds of one tag; `content` is the plugin's part of its metadata."""

    content: bytes
    points: Points


class EventLog:
    """The values of this plugin in the event files of a directory.

    Safe for use by several threads.
    """

    def __init__(self, directory: str, memory: Memory) -> None:
        self._directory = directory
        self._memory = memory
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._token = object()  # part of the keys of what was read, which is void from now on
        self._paths: list[str] = []
        self._ends: list[int] = []
        self._indices: dict[str, _Index] = {}
        self._parser = EventParser()

    def follow(self) -> dict[str, LoggedTag]:
        """Indexes what was added since the last time, and returns what there is by tag.

        A file that is cut off or damaged is read up to there, and tried again the next time.
        """
        with self._lock:
            sizes = files.event_files(self._directory)
            if any(sizes.get(p, 0) < end for p, end in zip(self._paths, self._ends, strict=True)):
                self._forget()  # another log has been put in its place
            for path, size in sizes.items():
                if path not in self._paths:
                    self._paths.append(path)
                    self._ends.append(0)
                number = self._paths.index(path)
                if size > self._ends[number]:
                    self._read_on(number)
            return {
                tag: LoggedTag(index.content, self._points(tag, index))
                for tag, index in self._indices.items()
                if index.plugin == metadata.PLUGIN_NAME
            }

    def _read_on(self, number: int) -> None:
        with files.open_file(self._paths[number]) as file:
            file.seek(self._ends[number])
            for body in event_bodies(file):
                # Looking for the name is quicker than taking apart what others have written.
                if _OURS in body and not self._add(number, self._ends[number] + _HEADER.size, body):
                    return
                self._ends[number] += _HEADER.size + len(body) + _CHECKSUM_BYTES

    def _add(self, number: int, offset: int, body: bytes) -> bool:
        """Adds the values of an event; returns whether it is one."""
        try:
            event = self._parser.parse(body)
            new = {t: _meet(body[s:e]) for t, s, e in event.values if t not in self._indices}
        except (ValueError, IndexError, struct.error, DecodeError):
            return False
        self._indices.update(new)
        for tag, start, end in event.values:
            index = self._indices[tag]
            index.steps.append(event.step)
            index.wall_times.append(event.wall_time)
            index.places.extend((number, offset + start, end - start))
        return True

    def _points(self, tag: str, index: _Index) -> Points:
        places = np.array(index.places, np.int64).reshape(-1, 3)
        reading = _Reading(self._memory, (self._token, tag), tuple(self._paths), places)
        steps = np.array(index.steps, np.int64)
        values = Stored(reading, np.arange(len(steps)))
        return Points(steps, np.array(index.wall_times, np.float64), values)


class _Reading:
    """Reads the values of one tag from their places."""

    def __init__(
        self,
        memory: Memory,
        key: tuple[object, str],
        paths: tuple[str, ...],
        places: npt.NDArray[np.int64],
    ) -> None:
        self._memory = memory
        self._key = key
        self._paths = paths
        self._places = places

    def read(self, positions: Iterable[int]) -> Iterator[npt.NDArray[Any]]:
        """See `points.Reading`."""
        parser = ValueParser()
        with contextlib.ExitStack() as stack:
            opened: dict[int, Any] = {}
            for number, offset, length in self._places[list(positions)].tolist():
                if number not in opened:
                    file = files.open_file(self._paths[number], buffering=0)  # they are far apart
                    opened[number] = stack.enter_context(file)
                opened[number].seek(offset)
                yield parser.parse(opened[number].read(length))

    def block(self) -> Block:
        """See `points.Reading`."""

        def read_on(before: Block | None) -> Block:
            start = 0 if before is None else min(len(before), len(self._places))
            new = range(start, len(self._places))
            return block_of(before, self.read(new), len(new))

        return self._memory.get(self._key, len(self._places), read_on, size_of)


def event_bodies(file: Any) -> Iterator[bytes]:
    """Yields the events of a file up to its end or the first damaged one, as TensorBoard does."""
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        length, checksum = _HEADER.unpack(header)
        if checksum != masked_crc32c(header[:8]) or length > _MAX_EVENT_BYTES:
            return
        body = file.read(length)
        if len(body) < length or len(file.read(_CHECKSUM_BYTES)) < _CHECKSUM_BYTES:
            return
        yield body


def _meet(value: bytes) -> _Index:
    """As in TensorBoard, the first value of a tag decides to which plugin it belongs."""
    about = summary_pb2.Summary.Value.FromString(value).metadata.plugin_data
    return _Index(about.plugin_name, about.content)
