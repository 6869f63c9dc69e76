"""Where the columns of a ring row belong: to which signal, and to which of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.training.device.recorder import Slot
from tensorboard_gradhealth.types import NOT_MEASURED, Axis, RunInfo

Array = npt.NDArray[np.float32]


class Columns:
    """Sorts columns into signals.

    Args:
      slots: What the columns hold, in their order.
      info: Has the signals and the rows that the slots name.

    Attributes:
      counts: Positions of the columns that count non-finite elements, int64 `[n]`.
    """

    def __init__(self, slots: Iterable[Slot], info: RunInfo) -> None:
        index = {
            axis: {row.name: i for i, row in enumerate(rows)} for axis, rows in info.rows.items()
        }
        self._parts: dict[str, slice] = {}
        self._rows = 0
        positions: list[int] = []
        counts: list[int] = []
        for slot in slots:
            axis = info.signals[slot.signal].axis
            start = self._part(slot.signal, max(1, len(index.get(axis, ()))))
            at = _rows_of(slot, axis, index)
            if slot.signal.endswith("_nonfinite"):
                counts += range(len(positions), len(positions) + len(at))
            positions += [start + i for i in at]
        self._positions = np.array(positions, np.intp)
        self.counts = np.array(counts, np.intp)

    def sort(self, values: Array) -> dict[str, Array]:
        """Returns float32 `[rows, n]` by signal, from `[columns, n]`.

        The last columns may be missing; a row without a column is `NOT_MEASURED`.
        """
        sorted_ = np.full((self._rows, values.shape[1]), NOT_MEASURED, np.float32)
        sorted_[self._positions[: len(values)]] = values
        return {signal: sorted_[part] for signal, part in self._parts.items()}

    def _part(self, signal: str, rows: int) -> int:
        if signal not in self._parts:
            self._parts[signal] = slice(self._rows, self._rows + rows)
            self._rows += rows
        return int(self._parts[signal].start)


def _rows_of(slot: Slot, axis: Axis, index: Mapping[Axis, Mapping[str, int]]) -> Sequence[int]:
    return [0] if axis == "run" else [index[axis][name] for name in slot.rows]
