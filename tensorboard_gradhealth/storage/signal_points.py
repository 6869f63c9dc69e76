"""The points of one signal whose rows are those of today, and their values as one array."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.storage import metadata
from tensorboard_gradhealth.storage.metadata import UnreadableRun
from tensorboard_gradhealth.storage.points import Points, last_change
from tensorboard_gradhealth.storage.tags import Tags
from tensorboard_gradhealth.storage.windows import Windows
from tensorboard_gradhealth.types import RunInfo, SignalSpec

LAYOUT_AXES = ("variable", "activation")
"""Axes whose rows are the layers. Rows of the others, such as classes, may grow as they are met."""


@dataclasses.dataclass(frozen=True)
class SignalPoints:
    """The points of a signal.

    Attributes:
      spec: What it is.
      points: Those whose rows are the rows of today, in step order.
      rows: How many rows each has for sure; 0 if the last one says.
    """

    spec: SignalSpec
    points: Points
    rows: int

    @classmethod
    def of(cls, tags: Tags, windows: Windows, info: RunInfo, spec: SignalSpec) -> SignalPoints:
        """Reads the points, and their values only where it takes them to know the rows."""
        rows = len(info.rows.get(spec.axis, ())) if spec.axis in LAYOUT_AXES else 0
        value_bytes = max(1, 4 * rows * len(spec.fields))
        points = windows.current(tags.read(metadata.signal_tag(spec.name), value_bytes))
        if rows:
            _, start = last_change(tags.read(metadata.ROWS_PREFIX + spec.axis))
            return cls(spec, points.take(np.flatnonzero(points.wall_times >= start)), rows)
        points = points.loaded()
        same = [len(value) == len(points.values[-1]) for value in points.values]
        return cls(spec, points.take(np.flatnonzero(same)), rows)

    def stacked(self, points: Points) -> npt.NDArray[np.float32]:
        """Returns the values of some or all of the points, `[T, rows, fields]`.

        Raises:
          UnreadableRun: They do not fit the description.
        """
        rows = self.rows or (len(points.values[0]) if len(points.steps) else 0)
        shape = rows, len(self.spec.fields)
        values = points.values
        if (
            isinstance(values, np.ndarray)
            and values.dtype == np.float32
            and values.shape[1:] == shape
        ):
            return values
        found = list(values)
        for step, value in zip(points.steps, found, strict=True):
            if value.shape != shape or value.dtype != np.float32:
                raise UnreadableRun(
                    f"`{self.spec.name}` at step {step} is {value.dtype} {list(value.shape)}; "
                    f"its description says float32 {list(shape)}."
                )
        return np.stack(found) if found else np.zeros((0, *shape), np.float32)
