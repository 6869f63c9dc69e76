"""Fewer points than were logged, for a screen that has no room for more."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.storage.reader import Series
from tensorboard_gradhealth.types import NOT_MEASURED

Floats = npt.NDArray[np.float32]

_NUMBERS_AT_ONCE = 2**16
"""To join a whole signal takes more memory than the signal has: to get that takes longer than to
add it up."""


def within(series: Series, first: float, last: float) -> Series:
    """Returns the points whose windows touch the steps from `first` to `last`, both included."""
    # Steps increase, so that these are neighbours, and a slice needs no copy.
    start = int(np.searchsorted(series.steps, first))
    inside = slice(start, max(start, int(np.searchsorted(series.first_steps, last, "right"))))
    return Series(
        series.steps[inside],
        series.first_steps[inside],
        series.wall_times[inside],
        series.values[inside],
    )


def binned(series: Series, fields: tuple[str, ...], points: int) -> Series:
    """Joins neighbouring windows until at most `points` are left.

    `min` and `max` stay the extremes of all that was joined, and `mean` its mean over steps, not
    finite as soon as one was not; of any other field, a count or a running statistic, the last
    point stays.

    Args:
      series: All points, T of them, with values `[T, rows, fields]`.
      fields: Names of its fields.
      points: At least 1.
    """
    count = len(series.steps)
    if count <= points:
        return series
    starts = np.arange(points) * count // points
    ends = np.append(starts[1:], count) - 1
    weights = (series.steps - series.first_steps + 1).astype(np.float64)
    values = np.empty((points, *series.values.shape[1:]), np.float32)
    at_once = max(1, _NUMBERS_AT_ONCE * points // max(1, count * values.shape[1]))
    for first in range(0, points, at_once):
        some = slice(first, first + at_once)
        joined = slice(starts[first], ends[some][-1] + 1)
        for index, name in enumerate(fields):
            values[some, :, index] = _joined(
                name,
                series.values[joined, :, index],
                weights[joined],
                starts[some] - starts[first],
            )
    return Series(series.steps[ends], series.first_steps[starts], series.wall_times[ends], values)


def _joined(
    field: str,
    values: Floats,
    weights: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
) -> Floats:
    """Joins the windows of one field, `[T, rows]`, from each start to the next."""
    if field not in ("mean", "min", "max"):
        last: Floats = values[np.append(starts[1:], len(values)) - 1]
        return last
    measured = values != NOT_MEASURED
    if measured.all():  # almost always, and three times as quick
        joined = _fold(field, values, weights[:, np.newaxis], starts)
        return joined.astype(np.float32)
    shares = np.where(measured, weights[:, np.newaxis], 0)
    absent = 0 if field == "mean" else np.nan
    joined = _fold(field, np.where(measured, values, absent), shares, starts)
    any_measured = np.logical_or.reduceat(measured, starts, axis=0)
    return np.where(any_measured, joined, NOT_MEASURED).astype(np.float32)


def _fold(
    field: str,
    values: Floats,
    shares: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
) -> npt.NDArray[np.floating[Any]]:
    """Folds stretches of values `[T, rows]`, of which each counts by its share `[T, rows or 1]`."""
    if field != "mean":
        extreme = np.fmin if field == "min" else np.fmax
        folded: npt.NDArray[np.floating[Any]] = extreme.reduceat(values, starts, axis=0)
        return folded
    # What is infinite stays so, and a sum of both infinities is NaN: neither is an accident.
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = np.add.reduceat(values * shares, starts, axis=0)
        mean: npt.NDArray[np.floating[Any]] = sums / np.add.reduceat(shares, starts, axis=0)
    return mean
