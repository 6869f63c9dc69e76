"""The binary answers of the HTTP API, for typed arrays; docs/http_api.md describes them."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.backend.binning import binned, within
from tensorboard_gradhealth.backend.queries import BadArgument
from tensorboard_gradhealth.storage.memory import Room, room_for
from tensorboard_gradhealth.storage.reader import RunReader, UnknownName
from tensorboard_gradhealth.types import Json

MAX_BYTES = 128 * 2**20
"""Of an answer; beyond it points are joined, whatever was asked for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Which part of a signal to send; None stands for all of it.

    Attributes:
      fields: Names of fields, in the order wanted.
      rows: Numbers of rows, in the order wanted.
      points: At most this many points; neighbours are joined beyond.
      steps: First and last step, both included.
    """

    fields: Sequence[str] | None = None
    rows: Sequence[int] | None = None
    points: int | None = None
    steps: tuple[float, float] | None = None


def series(reader: RunReader, signal: str, part: Part) -> Room:
    """Answers `GET series`.

    Raises:
      UnknownName: There is no such signal.
      BadArgument: There is no such field or row, or `points` is not positive.
      UnreadableRun: The signal is damaged.
    """
    data = reader.series(signal)
    known = reader.info().signals[signal].fields
    chosen = known if part.fields is None else part.fields
    for field in chosen:
        if field not in known:
            raise BadArgument(f"{signal!r} has no field {field!r}; it has: {', '.join(known)}.")
    _check_once("fields", chosen)
    _check_rows(signal, part.rows, data.values.shape[1])
    if part.steps is not None:
        data = within(data, *part.steps)
    columns = [known.index(field) for field in chosen]
    # A signal is large: what is not wanted is left out before anything is copied.
    values = data.values if part.rows is None else data.values[:, list(part.rows)]
    data = dataclasses.replace(data, values=_columns(values, columns))
    data = binned(data, tuple(chosen), _points(part.points, values.shape[1] * len(columns)))
    header = {"run": reader.run, "signal": signal, "fields": list(chosen)}
    return _pack(header, [data.steps, data.first_steps, data.wall_times], data.values)


def _columns(values: npt.NDArray[np.float32], columns: list[int]) -> npt.NDArray[np.float32]:
    """Chooses from the last axis, without a copy where neighbours are chosen."""
    first, end = columns[0], columns[0] + len(columns)
    return values[:, :, first:end] if columns == list(range(first, end)) else values[:, :, columns]


def _points(wanted: int | None, numbers: int) -> int:
    """Returns how many points to send at most, if each has so many numbers."""
    if wanted is not None and wanted < 1:
        raise BadArgument(f"points is {wanted}; give a whole number from 1.")
    most = max(1, MAX_BYTES // (4 * max(1, numbers)))
    return most if wanted is None else min(wanted, most)


def _check_rows(signal: str, rows: Sequence[int] | None, count: int) -> None:
    for row in rows or ():
        if not 0 <= row < count:
            raise BadArgument(f"{signal!r} has no row {row}; it has rows 0 to {count - 1}.")
    _check_once("rows", rows or ())


def _check_once(name: str, asked: Sequence[object]) -> None:
    """A short request must not make an answer that is larger than the signal itself."""
    if len(set(asked)) < len(asked):
        raise BadArgument(f"{name} names something twice; give each once.")


def flight(reader: RunReader, finding: str, signal: str) -> Room:
    """Answers `GET flight`.

    Args:
      reader: Of the run.
      finding: `id` of a finding.
      signal: Name of a signal that is measured at every step.

    Raises:
      UnknownName: No flight was kept for the finding, or it lacks the signal.
      UnreadableRun: The flight is damaged.
    """
    found = next((flight for flight in reader.flights() if finding in flight.findings), None)
    if found is None:
        kept = ", ".join(name for flight in reader.flights() for name in flight.findings) or "none"
        raise UnknownName(f"No single steps were kept for {finding!r}; there are for: {kept}.")
    if signal not in found.signals:
        known = ", ".join(found.signals)
        raise UnknownName(
            f"The steps before {finding!r} lack the signal {signal!r}; known: {known}."
        )
    values = found.signals[signal]
    steps = np.arange(found.first_step, found.first_step + len(values))
    header = {"run": reader.run, "finding": finding, "signal": signal, "fields": ["value"]}
    wall_times = np.full(len(values), found.wall_time)
    return _pack(header, [steps, steps, wall_times], values[:, :, np.newaxis])


def _pack(header: Json, times: Sequence[npt.NDArray[Any]], values: npt.NDArray[Any]) -> Room:
    """Lays out an answer: `[T]` each of the times, and values `[T, rows, fields]`."""
    text = json.dumps({**header, "rows": values.shape[1], "points": values.shape[0]}).encode()
    text += b" " * (-(4 + len(text)) % 8)
    head = b"".join(
        [struct.pack("<I", len(text)), text, *(a.astype("<f8").tobytes() for a in times)]
    )
    # In place, and field by field: new memory takes longer than what is written into it, and to
    # turn all three axes at once five times as long.
    body = room_for(len(head) + 4 * values.size)
    body[: len(head)] = head
    count, rows, fields = values.shape
    room = np.frombuffer(body, "<f4", offset=len(head)).reshape(fields, rows, count)
    for index in range(fields):
        room[index] = values[:, :, index].T
    return body
