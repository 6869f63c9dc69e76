"""Takes apart messages of which most differ in their numbers alone, as the records of a run do.

To walk through a message in Python takes longer than to read it from the disk. One that has the
same bytes around its numbers as one before has its parts where that had them.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto import summary_pb2, types_pb2
from tensorboard.util import tensor_util

from tensorboard_gradhealth.storage.protobuf import parts, varint

_MAX_ELEMENTS = 2**26

_NUMBERS: dict[int, np.dtype[Any]] = {
    types_pb2.DT_FLOAT: np.dtype("<f4"),
    types_pb2.DT_DOUBLE: np.dtype("<f8"),
}

_MAX_PATTERNS = 100
"""A run has records of a few lengths; what differs from them all, such as findings, must not pile
up."""

_WALL_TIME, _STEP, _SUMMARY = 1, 2, 5
"""Fields of TensorBoard's `Event`."""

_VALUE = 1
"""Field of its `Summary`."""

_TAG, _TENSOR = 1, 8
"""Fields of its `Summary.Value`."""

_CONTENT = 4
"""Field of its `TensorProto`."""

Span = tuple[int, int]
"""Start and end."""


class Frame:
    """The bytes of a message around its numbers."""

    def __init__(self, message: bytes, numbers: Iterable[Span]) -> None:
        """Takes a message, and the spans that may differ in others, none within another."""
        edges = [0, *itertools.chain.from_iterable(sorted(numbers)), len(message)]
        self._length = len(message)
        self._fixed = [(s, message[s:e]) for s, e in zip(edges[::2], edges[1::2], strict=True)]

    def fits(self, message: bytes) -> bool:
        """Whether a message is the same but for its numbers."""
        if len(message) != self._length:
            return False
        for start, fixed in self._fixed:  # noqa: SIM110  (three times as quick as `all`)
            if not message.startswith(fixed, start):
                return False
        return True


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """An event of a log; `values` are the tag, start and end of each."""

    step: int
    wall_time: float
    values: list[tuple[str, int, int]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Pattern:
    """An event by which to read others; `step` and `wall_time` are where these are."""

    frame: Frame
    step: Span
    wall_time: Span
    values: list[tuple[str, int, int]]

    def fits(self, body: bytes) -> bool:
        return self.frame.fits(body) and varint(body, self.step[0])[1] == self.step[1]


class EventParser:
    """Finds the values of events. Not safe for use by several threads at once."""

    def __init__(self) -> None:
        """Starts with nothing known."""
        self._patterns: dict[int, _Pattern] = {}

    def parse(self, body: bytes) -> Event:
        """Returns where the values of an event are.

        Raises:
          ValueError, IndexError, struct.error: It is not an event.
        """
        known = self._patterns.get(len(body))
        if known is not None and known.fits(body):
            return Event(
                _step(body, [known.step]), _wall_time(body, [known.wall_time]), known.values
            )
        steps, wall_times, values = _walk(body)
        if len(steps) == len(wall_times) == 1:
            contents = [content_of(body, start, end) for _, start, end in values]
            frame = Frame(body, [*steps, *wall_times, *itertools.chain.from_iterable(contents)])
            if len(self._patterns) >= _MAX_PATTERNS:
                self._patterns.clear()
            self._patterns[len(body)] = _Pattern(frame, steps[0], wall_times[0], values)
        return Event(_step(body, steps), _wall_time(body, wall_times), values)


class ValueParser:
    """Decodes the values of one tag. Not safe for use by several threads at once."""

    def __init__(self) -> None:
        """Starts with nothing known."""
        self._frame: Frame | None = None
        self._start = 0
        self._like = np.zeros(0)

    def parse(self, value: bytes) -> npt.NDArray[Any]:
        """Returns the array in a serialized `Summary.Value`.

        Raises:
          ValueError, TypeError, google.protobuf.message.DecodeError: It has none.
        """
        if self._frame is not None and self._frame.fits(value):
            flat = np.frombuffer(value, self._like.dtype, self._like.size, self._start)
            return flat.reshape(self._like.shape)
        tensor = summary_pb2.Summary.Value.FromString(value).tensor
        array = array_of(tensor)
        self._frame = None
        for start, end in content_of(value, 0, len(value)):
            if tensor.dtype in _NUMBERS and value[start:end] == tensor.tensor_content:
                self._frame, self._start = Frame(value, [(start, end)]), start
                self._like = array
        return array


def content_of(body: bytes, start: int, end: int) -> list[Span]:
    """Returns where a `Summary.Value` has the bytes of its array; nothing if that is not plain."""
    try:
        tensors = [(s, e) for field, s, e in parts(body, start, end) if field == _TENSOR]
        contents = [
            (s, e)
            for tensor in tensors
            for field, s, e in parts(body, *tensor)
            if field == _CONTENT
        ]
    except (ValueError, IndexError):
        return []
    return contents if len(tensors) == len(contents) == 1 else []


def array_of(tensor: Any) -> npt.NDArray[Any]:
    """Returns a `TensorProto` as an array.

    Raises:
      ValueError: It claims more elements than a value of a log can have: a few bytes are enough
        to ask for all memory.
    """
    elements = math.prod(dim.size for dim in tensor.tensor_shape.dim)
    if elements > _MAX_ELEMENTS:
        raise ValueError(f"a tensor of {elements} elements; {_MAX_ELEMENTS} are allowed")
    values: npt.NDArray[Any]
    if tensor.dtype in _NUMBERS and tensor.tensor_content:  # as this package writes them
        values = np.frombuffer(tensor.tensor_content, _NUMBERS[tensor.dtype])
        return values.reshape([dim.size for dim in tensor.tensor_shape.dim])
    values = tensor_util.make_ndarray(tensor)
    return values


def _walk(body: bytes) -> tuple[list[Span], list[Span], list[tuple[str, int, int]]]:
    """Returns where the steps, wall times and values of an event are; it should have one each."""
    steps: list[Span] = []
    wall_times: list[Span] = []
    values: list[tuple[str, int, int]] = []
    for number, start, end in parts(body, 0, len(body)):
        if number == _STEP:
            steps.append((start, end))
        elif number == _WALL_TIME:
            wall_times.append((start, end))
        elif number == _SUMMARY:
            found = [(s, e) for field, s, e in parts(body, start, end) if field == _VALUE]
            values += [(_tag(body, s, e), s, e) for s, e in found]
    return steps, wall_times, values


def _step(body: bytes, spans: list[Span]) -> int:
    """The last one holds; it is written as if it had no sign."""
    step = varint(body, spans[-1][0])[0] % 2**64 if spans else 0
    return step - 2**64 if step >= 2**63 else step


def _wall_time(body: bytes, spans: list[Span]) -> float:
    if not spans:
        return 0.0
    [wall_time] = struct.unpack("<d", body[slice(*spans[-1])])
    return float(wall_time)


def _tag(body: bytes, start: int, end: int) -> str:
    """Returns the tag of a value, which has to be sound as far as its tensor."""
    return next(
        (body[s:e].decode() for field, s, e in parts(body, start, end) if field == _TAG), ""
    )
