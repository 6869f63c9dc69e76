"""The axis that all charts of a run share: one column per logged window, each equally wide.

Windows cover one step early in training and many later; columns by index keep the first steps,
where much goes wrong, visible. Of a long log, neighbouring windows are joined.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.backend.binning import binned
from tensorboard_gradhealth.storage.reader import Series
from tensorboard_gradhealth.types import NOT_MEASURED

MOST_COLUMNS = 160
"""A column is then about five pixels of a desktop's page wide."""

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """Windows of steps.

    Attributes:
      first_steps: int64 `[T]`.
      steps: int64 `[T]`, the last step of each window, increasing.
    """

    first_steps: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]

    @classmethod
    def of(cls, series: Iterable[Series]) -> Timeline:
        """Returns every window of any of the series."""
        windows: dict[int, int] = {}
        for one in series:
            windows.update(zip(one.steps.tolist(), one.first_steps.tolist(), strict=True))
        steps = np.array(sorted(windows), np.int64)
        return cls(np.array([windows[step] for step in steps.tolist()], np.int64), steps)

    @property
    def columns(self) -> int:
        """Number of columns that are drawn."""
        return min(len(self.steps), MOST_COLUMNS)

    def drawn(self) -> Timeline:
        """Returns the windows of the columns."""
        joined = self._joined(np.zeros((len(self.steps), 1, 1), np.float32), ("mean",))
        return Timeline(joined.first_steps, joined.steps)

    def place(self, series: Series, fields: tuple[str, ...]) -> Floats:
        """Returns float32 `[columns, rows, fields]`, `NOT_MEASURED` where there is no point."""
        _, *shape = series.values.shape
        values = np.full((len(self.steps), *shape), NOT_MEASURED, np.float32)
        values[np.searchsorted(self.steps, series.steps)] = series.values
        return self._joined(values, fields).values

    def _joined(self, values: Floats, fields: tuple[str, ...]) -> Series:
        at_no_time = np.zeros(len(self.steps))
        whole = Series(self.steps, self.first_steps, at_no_time, values)
        return binned(whole, fields, max(1, self.columns))

    def span(self, first: int, last: int) -> tuple[float, float] | None:
        """Returns where steps begin and end, from 0 to 1; None if they are not in the log."""
        drawn = self.drawn()
        start = int(np.searchsorted(drawn.steps, first))
        end = int(np.searchsorted(drawn.first_steps, last, side="right"))
        return (start / self.columns, end / self.columns) if end > start else None

    def ticks(self, wanted: int = 7) -> list[tuple[float, int]]:
        """Returns (place from 0 to 1, step) of about so many evenly spaced, round steps."""
        steps = self.drawn().steps.tolist()
        gap = max(1.0, (len(steps) - 1) / max(1, wanted - 1))
        columns: list[int] = []
        place = 0.0
        while place <= len(steps) - 0.5:
            column = _roundest(steps, min(len(steps) - 1, round(place)), int(gap / 4))
            if column not in columns:
                columns.append(column)
            place += gap
        return [((column + 0.5) / len(steps), steps[column]) for column in columns]


def held(values: Floats) -> Floats:
    """Fills the pauses of a signal that is measured now and then: its last value holds.

    It holds no longer than the longest pause between two values. Where more than half of the
    columns have one, only pauses hold that are at most twice as long as one beside them, as those
    of a signal that is sampled ever more seldom: elsewhere a gap is a gap.

    Args:
      values: `[columns, rows]`.
    """
    measured = np.flatnonzero((values != NOT_MEASURED).any(axis=1))
    if len(measured) < 2:
        return values
    pauses = np.diff(measured)
    many = 2 * len(measured) > len(values)
    length = _usual(pauses) if many else np.full(len(measured), pauses.max())
    before = np.searchsorted(measured, np.arange(len(values)), side="right") - 1
    last = np.maximum(before, 0)
    holds = (before >= 0) & (np.arange(len(values)) - measured[last] < length[last])
    return np.where(holds[:, np.newaxis], values[measured[last]], NOT_MEASURED).astype(np.float32)


def _usual(pauses: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Returns for how many columns each value holds, with those `pauses` after all but the last."""
    around = np.concatenate([[0], pauses, [0]])
    beside = np.maximum(around[:-2], around[2:])
    held_pauses = np.where(pauses <= 2 * beside, pauses, 1)
    return np.append(held_pauses, pauses[-1])


def _roundest(steps: list[int], column: int, slack: int) -> int:
    """The column near this one whose step ends in the most zeros; the nearest of several."""
    near = range(max(0, column - slack), min(len(steps), column + slack + 1))
    return min(near, key=lambda other: (-_roundness(steps[other]), abs(other - column)))


def _roundness(value: int) -> float:
    if value == 0:
        return 9
    zeros = len(str(value)) - len(str(value).rstrip("0"))
    return zeros + (0.5 if value // 10**zeros % 5 == 0 else 0)
