"""Folds steps into windows, so that a run of any length leaves a log of bounded size.

The first steps are kept one by one, because a learning rate that is too large shows only there.
After them each window is `log_every` steps long, and twice as long each time the log has taken
another part of its budget: the number of records grows with the logarithm of the run's length.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.types import NOT_MEASURED

Array = npt.NDArray[np.float32]

DENSE_STEPS = 51
"""Steps 0 to 50 are records of their own."""

OCTAVES_IN_BUDGET = 10
"""How often a window may double before the budget is used up: 1,024-fold."""


class Fold:
    """Mean, minimum and maximum per column over the steps of one window.

    The mean is over measured steps and is NaN or infinite as soon as one of them was; the extremes
    are over finite steps. A column that was measured at no step stays `NOT_MEASURED`.
    """

    def __init__(self, columns: int) -> None:
        self.steps = 0
        self._sum = np.zeros(columns, np.float64)
        self._count = np.zeros(columns, np.int64)
        self._low = np.full(columns, np.inf)
        self._high = np.full(columns, -np.inf)

    def add(self, rows: Array) -> None:
        """Adds float32 `[steps, columns]`."""
        measured = rows != NOT_MEASURED
        finite = measured & np.isfinite(rows)
        self.steps += len(rows)
        self._count += measured.sum(axis=0)
        with np.errstate(invalid="ignore"):  # inf - inf is the NaN that it should be
            self._sum += np.where(measured, rows, 0.0).sum(axis=0, dtype=np.float64)
        self._low = np.minimum(self._low, np.where(finite, rows, np.inf).min(axis=0))
        self._high = np.maximum(self._high, np.where(finite, rows, -np.inf).max(axis=0))

    def result(self) -> Array:
        """Returns float32 `[columns, 3]`: mean, min, max."""
        some_finite = self._low <= self._high
        with np.errstate(invalid="ignore"):
            folded = np.stack(
                [
                    self._sum / np.maximum(self._count, 1),
                    np.where(some_finite, self._low, np.nan),
                    np.where(some_finite, self._high, np.nan),
                ],
                axis=1,
            )
        folded[self._count == 0] = NOT_MEASURED
        return folded.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Window:
    """One finished window: its first and last step, and float32 `[columns, 3]`."""

    first_step: int
    last_step: int
    values: Array


class WindowFolder:
    """Cuts a stream of steps into windows.

    Args:
      log_every: Length of a window after the dense first steps, >= 1.
      budget: Records after which a window would be 1,024 times as long.
    """

    def __init__(self, log_every: int, budget: int) -> None:
        self._log_every = log_every
        self._per_octave = max(1, (budget - DENSE_STEPS) // OCTAVES_IN_BUDGET)
        self._folded_windows = 0
        self._fold: Fold | None = None
        self._first = 0

    @property
    def length(self) -> int:
        """Steps in a window, as long as the dense first steps are over."""
        return int(self._log_every * 2 ** (self._folded_windows // self._per_octave))

    def due(self, step: int) -> int:
        """Returns how many steps from `step` on the next window needs to end."""
        if step < DENSE_STEPS:
            return 1
        return self.length - (self._fold.steps if self._fold else 0)

    def add(self, first_step: int, rows: Array) -> Iterator[Window]:
        """Takes float32 `[steps, columns]` from `first_step` on; yields the windows they finish."""
        step = first_step
        if self._fold is not None and step != self._first + self._fold.steps:
            yield from self.flush()  # steps were lost: a window must not claim them
        while len(rows):
            if self._fold is None:
                self._fold, self._first = Fold(rows.shape[1]), step
            taken, rows = np.split(rows, [self.due(step)])
            self._fold.add(taken)
            step += len(taken)
            if self._first < DENSE_STEPS or self._fold.steps >= self.length:
                yield from self.flush()

    def flush(self) -> Iterator[Window]:
        """Yields the window under way, however short, if there is one."""
        if self._fold is None:
            return
        fold, self._fold = self._fold, None
        if self._first >= DENSE_STEPS:
            self._folded_windows += 1
        yield Window(self._first, self._first + fold.steps - 1, fold.result())
