"""When to look beside a step: at fixed steps, or as often as a share of the time allows."""

from __future__ import annotations

from typing import Protocol

from tensorboard_gradhealth.training.host.windows import DENSE_STEPS

FIRST_STEPS = (10, 20, 30, 40, 50)
"""A learning rate that is too high shows early; but step 0 has enough to trace already."""
EVERY = 100
"""Steps from one look to the next after those, at least."""
SOON = 20
"""Steps that lie between two looks at least, where time alone decides."""


SAMPLE_EVERY = 10
"""Steps from one that is measured in full to the next, once `DENSE_STEPS` are over, at least."""

SHARE = 10
STRETCH = 5
"""Intervals grow with the run, to a tenth of it, until they are five times as long.

So what happens is seen within a tenth of the run's length, early and late, while a long run, where
time matters, is slowed less and less.
"""


class Cadence(Protocol):
    """Says which steps to look at."""

    def due(self, step: int) -> bool:
        """Whether to look at the `step`-th step."""

    def looked(self, step: int, seconds: float) -> None:
        """Says that the step was looked at, and how long that took."""

    def trained(self, seconds: float) -> None:
        """Says for how long steps were taken."""


class StepCadence:
    """Due at each of `FIRST_STEPS`, then at one step in `EVERY`, later at fewer.

    Args:
      step: The step that training goes on with.
    """

    def __init__(self, step: int) -> None:
        self._next = _after(step)

    def due(self, step: int) -> bool:
        return step >= self._next

    def looked(self, step: int, seconds: float) -> None:
        self._next = _after(step)

    def trained(self, seconds: float) -> None:
        pass


class ShareCadence:
    """Due as often as it takes no more than a share of the time that training takes.

    The first look, which has to trace, counts as set-up. The second one follows soon and tells what
    a look costs; from there on the share is kept.

    Args:
      share: Time of the looks / time of the steps between them, above 0.
      first_step: Step of the first look.
    """

    def __init__(self, share: float, first_step: int) -> None:
        self._share = share
        self._next = first_step
        self._looks = 0
        self._wait = 0.0

    def due(self, step: int) -> bool:
        return step >= self._next and self._wait <= 0.0

    def looked(self, step: int, seconds: float) -> None:
        self._next = step + SOON
        self._wait = 0.0 if self._looks == 0 else seconds / self._share
        self._looks += 1

    def trained(self, seconds: float) -> None:
        self._wait -= seconds


class SampleCadence:
    """Says which steps to measure in full: the first ones, then one in `SAMPLE_EVERY`, later fewer.

    Args:
      step: The step that training goes on with, which is one of them.
    """

    def __init__(self, step: int) -> None:
        self._next = step

    def due(self, step: int) -> bool:
        """Whether to measure the `step`-th step in full."""
        return step < DENSE_STEPS or step >= self._next

    def near(self, step: int) -> bool:
        """Whether to measure the `step`-th step or the one after it in full."""
        return self.due(step) or self.due(step + 1)

    def measured(self, step: int) -> None:
        """Says that the step is measured in full."""
        self._next = step + _interval(step, SAMPLE_EVERY)


def _after(step: int) -> int:
    return next((first for first in FIRST_STEPS if first > step), step + _interval(step, EVERY))


def _interval(step: int, least: int) -> int:
    """Returns how many steps to go on from the `step`-th."""
    return min(max(least, step // SHARE), STRETCH * least)
