"""Folds steps into windows, so that a run of any length leaves a log of bounded size.

The first steps are kept one by one, because a learning rate that is too large shows only there.
After them each window is `log_every` steps or seconds long, and twice as long each time the log has
taken a tenth of what was left of its budget: with ten steps at first, a run of a million steps
takes two thirds of it, one of a billion nine tenths.
"""

from __future__ import annotations

import dataclasses
import datetime
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.types import NOT_MEASURED

Array = npt.NDArray[np.float32]

DENSE_STEPS = 51
"""Steps 0 to 50 are records of their own."""


class Fold:
    """Mean, minimum and maximum per column over the steps of one window.

    The mean is over measured steps and is NaN or infinite as soon as one of them was; the extremes
    are over finite steps. A column that was measured at no step stays `NOT_MEASURED`.
    """

    def __init__(self, columns: int) -> None:
        self.steps = 0
        self._sum = np.zeros(columns, np.float64)
        self._count = np.zeros(columns, np.int64)
        self._low = np.full(columns, np.inf, np.float32)
        self._high = np.full(columns, -np.inf, np.float32)

    def continues(self, step: int, rows: Array) -> bool:
        """Whether `rows`, from the `step`-th of the window on, have no gap and no new column."""
        return step == self.steps and rows.shape[1] == len(self._sum)

    def add(self, rows: Array) -> None:
        """Adds float32 `[steps, columns]`."""
        self.steps += len(rows)
        with np.errstate(invalid="ignore"):  # inf - inf is the NaN that it should be
            low, high = rows.min(axis=0), rows.max(axis=0)
            total = rows.sum(axis=0, dtype=np.float64)
            count = np.full(len(total), len(rows))
            # Most columns were measured at every step and are finite: only the others cost more.
            odd = np.flatnonzero(~((low > NOT_MEASURED) & (high < np.inf)))
            if len(odd):
                part = rows[:, odd]
                measured = part != NOT_MEASURED
                finite = measured & np.isfinite(part)
                count[odd] = measured.sum(axis=0)
                total[odd] = np.where(measured, part, 0.0).sum(axis=0, dtype=np.float64)
                low[odd] = np.where(finite, part, np.inf).min(axis=0)
                high[odd] = np.where(finite, part, -np.inf).max(axis=0)
            self._count += count
            self._sum += total
        np.minimum(self._low, low, out=self._low)
        np.maximum(self._high, high, out=self._high)

    def result(self) -> Array:
        """Returns float32 `[columns, 3]`: mean, min, max."""
        some_finite = self._low <= self._high
        folded = np.empty((len(self._sum), 3), np.float32)
        with np.errstate(invalid="ignore"):
            folded[:, 0] = self._sum / np.maximum(self._count, 1)
        folded[:, 1] = np.where(some_finite, self._low, np.nan)
        folded[:, 2] = np.where(some_finite, self._high, np.nan)
        folded[self._count == 0] = NOT_MEASURED
        return folded


@dataclasses.dataclass(frozen=True)
class Window:
    """One finished window: its first and last step, and float32 `[columns, 3]`."""

    first_step: int
    last_step: int
    values: Array


class WindowFolder:
    """Cuts a stream of steps into windows.

    Args:
      log_every: Length of a window after the dense first steps: steps, >= 1, or the time that its
        steps take, > 0. One of a time has at least one step, and ends when it is looked at.
      budget: Windows after which they double ever faster, >= 100.
      clock: Returns seconds.
    """

    def __init__(
        self,
        log_every: int | datetime.timedelta,
        budget: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._clock = clock
        self._steps = sys.maxsize if isinstance(log_every, datetime.timedelta) else log_every
        self._seconds = (
            log_every.total_seconds() if isinstance(log_every, datetime.timedelta) else None
        )
        self._begun = clock()
        self._windows = 0
        self._doubling = DENSE_STEPS + self._share(DENSE_STEPS)
        self._short_ends = budget // 20
        self._fold: Fold | None = None
        self._first = 0

    @property
    def length(self) -> int:
        """Steps in the window under way, at most."""
        return 1 if self._windows < DENSE_STEPS else self._steps

    def resume(self, windows: int) -> None:
        """Goes on in a log that holds `windows` already, where the run before stopped."""
        for _ in range(windows):
            self._count()

    def due(self) -> int:
        """Returns how many steps the window under way, or else the next one, needs to end."""
        return 1 if self._time_is_up() else self.length - (self._fold.steps if self._fold else 0)

    def add(self, first_step: int, rows: Array) -> Iterator[Window]:
        """Takes float32 `[steps, columns]` from `first_step` on; yields the windows they finish."""
        step = first_step
        if self._fold is not None and not self._fold.continues(step - self._first, rows):
            yield from self.flush()
        while len(rows):
            if self._fold is None:
                self._fold, self._first = Fold(rows.shape[1]), step
            due = self.length - self._fold.steps
            self._fold.add(rows[:due])
            step += min(due, len(rows))
            rows = rows[due:]
            if self._fold.steps == self.length or self._time_is_up():
                yield from self.flush()

    def flush(self) -> Iterator[Window]:
        """Yields the window under way, however short, if there is one."""
        if self._fold is not None:
            fold, self._fold = self._fold, None
            self._count()
            self._begun = self._clock()
            yield Window(self._first, self._first + fold.steps - 1, fold.result())

    def end(self) -> Iterator[Window]:
        """Yields the window under way where a training ends.

        Thousands of short trainings, one after the other, would use up the budget with windows
        that are not full: from some number on, one that is not half full goes on in the next.
        """
        if self._fold is not None and not self._half_full(self._fold):
            if self._short_ends == 0:
                return
            self._short_ends -= 1
        yield from self.flush()

    def _half_full(self, fold: Fold) -> bool:
        if self._seconds is not None:
            return 2 * (self._clock() - self._begun) >= self._seconds
        return 2 * fold.steps >= self.length

    def _time_is_up(self) -> bool:
        """Whether a window that is measured in time, past the dense first steps, is long enough."""
        if self._seconds is None or self._windows < DENSE_STEPS:
            return False
        return self._clock() - self._begun >= self._seconds

    def _count(self) -> None:
        self._windows += 1
        if self._windows >= self._doubling:
            if self._seconds is None:
                self._steps *= 2
            else:
                self._seconds *= 2
            self._doubling += self._share(self._doubling)

    def _share(self, used: int) -> int:
        return max(1, (self._budget - used) // 10)
