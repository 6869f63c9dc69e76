"""What a published rule set says of a run, and how its conditions become a step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from benchmarks.diagnosis.data import Array
from benchmarks.diagnosis.series import Series


@dataclasses.dataclass(frozen=True)
class Alarm:
    """One alarm.

    Attributes:
      name: What the tool calls it.
      means: Names of our rules that would say the same, or name a cause that it stands for.
      step: At which it is raised.
      layer: Of the network; "" if it speaks of none.
    """

    name: str
    means: tuple[str, ...]
    step: int
    layer: str = ""


class Alarms(list[Alarm]):
    """Collects the alarms of a run.

    Args:
      steps: int `[S]`, of the moments at which the tool looks.
    """

    def __init__(self, steps: Array) -> None:
        super().__init__()
        self._steps = steps

    def when(
        self,
        name: str,
        held: Array,
        *means: str,
        layers: Sequence[str] = ("",),
        patience: int = 1,
    ) -> None:
        """Adds an alarm if `held`, bool `[S]` or `[S, layers]`, is true `patience` times in a row.

        Where it is in several layers, the earliest counts.
        """
        table = held if held.ndim == 2 else held[:, None]
        times = [(first(column, patience), row) for row, column in enumerate(table.T)]
        found = [(index, row) for index, row in times if index is not None]
        if found:
            index, row = min(found)
            self.append(Alarm(name, means, int(self._steps[index]), layers[row]))

    def if_(self, name: str, true: bool, *means: str, step: int = 0) -> None:
        """Adds an alarm that is raised once, before the training if no step is given."""
        if true:
            self.append(Alarm(name, means, step))


def first(held: Array, patience: int) -> int | None:
    """Returns the first index at which `held` `[S]` has been true `patience` times in a row."""
    series = 0
    for index, true in enumerate(held):
        series = series + 1 if true else 0
        if series == patience:
            return index
    return None


def last_records(series: Series) -> Array:
    """Returns the index of the last record of each epoch, int `[E]`."""
    steps = series.epochs.get("step", np.zeros(0))
    return np.clip(np.searchsorted(series.steps, steps, side="right") - 1, 0, None)
