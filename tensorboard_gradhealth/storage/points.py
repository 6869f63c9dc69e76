"""Puts the points of a log in order: what a resumed run wrote again replaces what it wrote first.

TensorBoard's default data server drops, per tag, every point at or after a step that is written
again later; its in-process loader keeps them all. Applied to either, these functions give the same.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.storage.memory import room_for

Block: TypeAlias = "npt.NDArray[Any] | list[npt.NDArray[Any]]"
"""The values of several points: one array `[T, ...]` where all have one shape, else a list."""


@dataclasses.dataclass(frozen=True, slots=True)
class Points:
    """The points of one tag.

    Attributes:
      steps: int64 `[T]`.
      wall_times: float64 `[T]`, seconds since the epoch.
      values: T arrays, of any shape.
    """

    steps: npt.NDArray[np.int64]
    wall_times: npt.NDArray[np.float64]
    values: Block | Stored

    @classmethod
    def none(cls) -> Points:
        """Returns no points."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.float64), [])

    def size(self) -> int:
        """Returns how many bytes the values take in memory, about."""
        return 0 if isinstance(self.values, Stored) else size_of(self.values)

    def take(self, index: npt.NDArray[np.intp]) -> Points:
        """Returns the points at these positions."""
        values = self.values
        taken = values.take(index) if isinstance(values, Stored) else _taken(values, index)
        return Points(self.steps[index], self.wall_times[index], taken)

    def loaded(self) -> Points:
        """Returns the same points with all values in memory."""
        if not isinstance(self.values, Stored):
            return self
        return dataclasses.replace(self, values=self.values.load())


class Reading(Protocol):
    """Where values can be read that are not in memory."""

    def read(self, positions: Iterable[int]) -> Iterator[npt.NDArray[Any]]:
        """Yields the values at these positions."""
        ...

    def block(self) -> Block:
        """Returns all values, and perhaps later ones; keeps them for the next time."""
        ...


class Stored:
    """Values that are read when they are asked for: all at once by `load`, else one by one."""

    def __init__(self, reading: Reading, positions: npt.NDArray[np.intp]) -> None:
        self._reading = reading
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        [value] = self._reading.read([int(self._positions[index])])
        return value

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return self._reading.read(self._positions.tolist())

    def take(self, index: npt.NDArray[np.intp]) -> Stored:
        return Stored(self._reading, self._positions[index])

    def load(self) -> Block:
        return _taken(self._reading.block(), self._positions)


def block_of(before: Block | None, values: Iterable[npt.NDArray[Any]], count: int) -> Block:
    """Returns the values of a block and those that follow it, `count` of them, as one."""
    known: Block = [] if before is None else before
    values = iter(values)
    if isinstance(known, list) and known:
        return [*known, *values]
    first = next(values, None)
    if first is None:
        return known
    like = known[0] if len(known) else first
    if like.dtype == object:
        return [*known, first, *values]
    block = _with_room(known, like, len(known) + count)
    shape, dtype = like.shape, like.dtype
    for end, value in enumerate(itertools.chain([first], values), start=len(known)):
        if value.shape != shape or value.dtype != dtype:
            return [*block[:end], value, *values]
        block[end] = value  # at once: memory for all of them twice takes longer than reading them
    return block


def _with_room(known: Block, like: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Returns a block of `count` values that begins with those known, whose memory it may share.

    A run that is followed grows by a point at a time: there is room for some more behind it.
    """
    flat = None if isinstance(known, list) else known.base
    if flat is None or flat.ndim != 1 or flat.size < count * like.size:
        room = count + count // 8 if len(known) else count
        flat = np.frombuffer(room_for(max(1, room * like.size) * like.itemsize), like.dtype)
        flat[: len(known) * like.size] = np.ravel(known)
    return flat[: count * like.size].reshape(count, *like.shape)


def size_of(block: Block) -> int:
    """Bytes that a block takes, about."""
    if isinstance(block, list):
        return sum(value.nbytes + 200 for value in block)
    return int(block.nbytes)


def _taken(block: Block, index: npt.NDArray[np.intp]) -> Block:
    if isinstance(block, list):
        return [block[i] for i in index]
    # Most logs were written in one go: that all of it holds, in order, saves a copy.
    whole = np.array_equal(index, np.arange(len(index)))
    return block[: len(index)] if whole else block[index]


def current(
    points: Points, windows: Points, first_steps: npt.NDArray[np.int64] | None = None
) -> Points:
    """Returns the points that hold, in step order, one per step.

    A point is superseded by a window that was written after it and begins at its step or before,
    because that happens only when training went back to a checkpoint. Of several points at one
    step, the one written last holds.

    Args:
      points: The points of a tag, in any order.
      windows: The points of the tag that has one in every record, or `points` again.
      first_steps: int64 `[T]`: where the windows begin; if not given, they are single steps, and
        one of them supersedes only what was written before at later steps.
    """
    by_time = np.argsort(windows.wall_times, kind="stable")
    times = windows.wall_times[by_time]
    begins = windows.steps + 1 if first_steps is None else first_steps
    # earliest[i]: where the first of the windows from position i on begins; none is infinity.
    earliest = np.minimum.accumulate(begins[by_time].astype(np.float64)[::-1])[::-1]
    earliest = np.append(earliest, np.inf)
    later = earliest[np.searchsorted(times, points.wall_times, side="right")]
    kept = np.flatnonzero(later > points.steps)
    order = kept[np.lexsort((points.wall_times[kept], points.steps[kept]))]
    last_of_step = np.append(np.diff(points.steps[order]) > 0, True)[: len(order)]
    return points.take(order[last_of_step])


def last_change(points: Points) -> tuple[int, float]:
    """Returns the step and wall time at which the value last changed; (0, -inf) if it never did."""
    change = 0, -np.inf
    points = points.loaded()
    for before, after in itertools.pairwise(np.argsort(points.wall_times, kind="stable")):
        if points.values[before] != points.values[after]:
            change = int(points.steps[after]), float(points.wall_times[after])
    return change


def last_written(points: Points) -> Any:
    """Returns the value that was written last."""
    return points.values[int(np.argsort(points.wall_times, kind="stable")[-1])]
