"""The windows of steps that a run has records of, and what of the log they make void."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.storage import metadata
from tensorboard_gradhealth.storage.metadata import UnreadableRun
from tensorboard_gradhealth.storage.points import Points, current
from tensorboard_gradhealth.storage.tags import Tags, explaining
from tensorboard_gradhealth.types import Record

_LARGEST = 2.0**53
"""Whole numbers up to here are exact in float64, in which windows are written."""


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of a run that hold, in step order.

    Attributes:
      steps: int64 `[T]`, the last step of each.
      wall_times: float64 `[T]`, seconds since the epoch.
      begins: int64 `[T]`, the first step of each.
      counts: int64 `[T]`, records written so far, as the writer counted.
      nonfinite: int64 `[T]`, first step at which something was not finite; -1 if none was.
      implied: Whether the log has no windows: signals were written one by one, as summaries are.
    """

    steps: npt.NDArray[np.int64]
    wall_times: npt.NDArray[np.float64]
    begins: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    nonfinite: npt.NDArray[np.int64]
    implied: bool

    @classmethod
    def of(cls, tags: Tags, signals: Iterable[str]) -> Windows:
        """Reads the windows, or makes one of each step at which one of the signals was written.

        Raises:
          UnreadableRun: They are damaged.
        """
        if metadata.WINDOW_TAG not in tags.names:
            points = _of_single_steps(tags, signals)
            return cls._of(current(points, points), implied=True)
        with explaining(f"`{metadata.WINDOW_TAG}`"):
            points = tags.read(metadata.WINDOW_TAG).loaded()
            values = np.asarray(points.values)
            real = values.dtype.kind in "iuf" and values.shape[1:] == (4,)
            if len(values) and not (real and (np.abs(values) <= _LARGEST).all()):
                raise UnreadableRun(f"`{metadata.WINDOW_TAG}` does not hold four whole numbers.")
        return cls._of(current(points, points, _numbers(points)[:, 0]), implied=False)

    @classmethod
    def _of(cls, points: Points, *, implied: bool) -> Windows:
        begins, _, counts, nonfinite = _numbers(points).T
        return cls(points.steps, points.wall_times, begins, counts, nonfinite, implied)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def written(self) -> int:
        """Number of records that were written; a run that starts anew counts anew."""
        ends_part = np.append(np.diff(self.counts) <= 0, True)[: len(self)]
        return max(len(self), int(self.counts[ends_part].sum()))

    def record(self, index: int, signals: Mapping[str, npt.NDArray[np.float32]]) -> Record:
        """Returns the record of a window."""
        return Record(
            step=int(self.steps[index]),
            first_step=int(self.begins[index]),
            signals=signals,
            written=int(self.counts[index]),
            first_nonfinite_step=int(self.nonfinite[index]),
        )

    def current(self, points: Points) -> Points:
        """Returns the points of another tag that hold, in step order."""
        points = current(points, points)
        windows = Points(self.steps, self.wall_times, [])
        return current(points, windows, None if self.implied else self.begins)

    def first_steps(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Returns where the windows begin whose last steps these are; they themselves, if none."""
        if not len(self):
            return steps
        position = np.searchsorted(self.steps, steps).clip(max=len(self) - 1)
        return np.where(self.steps[position] == steps, self.begins[position], steps)


def _numbers(points: Points) -> npt.NDArray[np.int64]:
    """Returns `[T, 4]`: first step, steps in it, records written so far, first non-finite step."""
    return np.asarray(points.values).reshape(-1, 4).astype(np.int64)


def _of_single_steps(tags: Tags, signals: Iterable[str]) -> Points:
    last_written_at: dict[int, float] = {}
    for points in (tags.read(metadata.signal_tag(name)) for name in signals):
        for step, wall_time in zip(points.steps, points.wall_times, strict=True):
            at = last_written_at.get(int(step), -np.inf)
            last_written_at[int(step)] = max(at, float(wall_time))
    return Points(
        np.array(list(last_written_at), np.int64),
        np.array(list(last_written_at.values()), np.float64),
        np.array([(step, 1, 0, -1) for step in last_written_at], np.float64).reshape(-1, 4),
    )
