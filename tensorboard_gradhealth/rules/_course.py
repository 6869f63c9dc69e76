"""The whole past of a signal of the run, in a bounded number of stretches.

Some verdicts need more than the recent past: the best loss so far, whether it ever fell. A run
may be of any length, so what is old is kept coarsely.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

COURSE = 128
"""Stretches that are kept, at most."""


class Course:
    """Means over stretches of about equal length, which together cover every record so far."""

    def __init__(self, rows: int) -> None:
        self._means = np.empty((COURSE, rows), np.float64)
        self._steps = np.empty((COURSE, 2), np.int64)
        self._weights = np.empty(COURSE, np.float64)
        self._end = 0

    def append(self, first_step: int, step: int, means: npt.NDArray[np.float32]) -> None:
        """Adds a record of the steps from `first_step` to `step`; `means` are float32 `[rows]`."""
        if self._end == COURSE:
            self._merge_the_shortest_neighbours()
        self._means[self._end] = means
        self._steps[self._end] = first_step, step
        self._weights[self._end] = step - first_step + 1
        self._end += 1

    def means(self) -> npt.NDArray[np.float32]:
        """float32 `[stretches, rows]`, oldest first; NaN where a record of the stretch was."""
        return self._means[: self._end].astype(np.float32)

    def steps(self) -> npt.NDArray[np.int64]:
        """int64 `[stretches, 2]`: first and last step of each."""
        return self._steps[: self._end]

    def _merge_the_shortest_neighbours(self) -> None:
        first, last = self._steps[:-1, 0], self._steps[1:, 1]
        at = int((last - first).argmin())
        pair = slice(at, at + 2)
        weights = self._weights[pair]
        self._means[at] = weights @ self._means[pair] / weights.sum()
        self._steps[at, 1] = self._steps[at + 1, 1]
        self._weights[at] = weights.sum()
        for array in (self._means, self._steps, self._weights):
            array[at + 1 : -1] = array[at + 2 :]
        self._end -= 1
