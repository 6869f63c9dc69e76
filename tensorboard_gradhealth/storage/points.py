"""Puts the points of a log in order: what a resumed run wrote again replaces what it wrote first.

TensorBoard's default data server drops, per tag, every point at or after a step that is written
again later; its in-process loader keeps them all. Applied to either, these functions give the same.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


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
    values: Sequence[Any]

    def take(self, index: npt.NDArray[np.intp]) -> Points:
        """Returns the points at these positions."""
        values = [self.values[i] for i in index]
        return Points(self.steps[index], self.wall_times[index], values)


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
    for before, after in itertools.pairwise(np.argsort(points.wall_times, kind="stable")):
        if points.values[before] != points.values[after]:
            change = int(points.steps[after]), float(points.wall_times[after])
    return change


def last_written(points: Points) -> Any:
    """Returns the value that was written last."""
    return points.values[int(np.argsort(points.wall_times, kind="stable")[-1])]
