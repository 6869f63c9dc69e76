"""Keeps the last single steps at hand: when a finding opens, windows are too coarse to see why."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

FLIGHT_STEPS = 64
"""Steps in a flight, at most."""

MAX_FLIGHTS = 8
"""Flights in a log: what goes wrong after that many findings says little about the first."""


class FlightRecorder:
    """Ring of the last steps on the host, and how often it may still be written.

    Attributes:
      left: Flights that the log may still take.
    """

    def __init__(self) -> None:
        self.left = MAX_FLIGHTS
        self._rows: list[Array] = []
        self._next = 0

    def add(self, first_step: int, rows: Array) -> None:
        """Takes float32 `[steps, columns]` from `first_step` on, at least one step."""
        lost = first_step != self._next
        if self._rows and (lost or self._rows[-1].shape != rows[0].shape):
            self._rows = []  # a flight is one array without gaps
        # A window may end at any of these steps, and the 64 up to there must then be here.
        self._rows = [*self._rows[-FLIGHT_STEPS:], *rows]
        self._next = first_step + len(rows)

    def take(self, last_step: int) -> tuple[int, Array] | None:
        """Hands out the steps up to `last_step`, as one of the flights that are left.

        Returns:
          The first step and float32 `[steps, columns]`; `None` if no flight or no step is left.
        """
        oldest = self._next - len(self._rows)
        if self.left == 0 or not oldest <= last_step < self._next:
            return None
        self.left -= 1
        first = max(oldest, last_step + 1 - FLIGHT_STEPS)
        return first, np.stack(self._rows[first - oldest : last_step + 1 - oldest])
