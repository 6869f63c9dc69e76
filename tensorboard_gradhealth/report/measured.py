"""The signals of a run, read once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tensorboard_gradhealth.report.timeline import Floats, Timeline
from tensorboard_gradhealth.storage.reader import RunReader, Series, UnreadableRun
from tensorboard_gradhealth.types import NOT_MEASURED, Row, RunInfo, SignalSpec


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """One that has at least one point.

    Attributes:
      spec: Its description.
      rows: What its rows stand for; one without a name for each that is not described.
      series: All its points.
    """

    spec: SignalSpec
    rows: tuple[Row, ...]
    series: Series

    def row(self, name: str) -> int | None:
        """Returns the number of a row; of a signal of the whole run, 0; None if there is none."""
        if self.spec.axis == "run":
            return 0
        return next((i for i, row in enumerate(self.rows) if row.name == name), None)

    def take(self, rows: Sequence[int]) -> Signal:
        """Returns the signal of these rows alone."""
        series = dataclasses.replace(self.series, values=self.series.values[:, list(rows)])
        return Signal(self.spec, tuple(self.rows[i] for i in rows), series)

    def last(self) -> Floats:
        """Returns `[rows]`: the first field's last measured value; `NOT_MEASURED` without one."""
        values = self.series.values[:, :, 0]
        backwards = (values != NOT_MEASURED)[::-1]
        latest = len(values) - 1 - backwards.argmax(axis=0)
        return np.asarray(values[latest, np.arange(values.shape[1])])


class Measured:
    """What was measured in a run.

    Attributes:
      info: Its description.
      signals: By name.
      timeline: Of all of them.
      troubles: Sentences on signals that cannot be read.
    """

    def __init__(self, reader: RunReader) -> None:
        self.info: RunInfo = reader.info()
        self.signals: dict[str, Signal] = {}
        self.troubles: list[str] = []
        for spec in self.info.signals.values():
            self._read(reader, spec)
        self.timeline = Timeline.of(signal.series for signal in self.signals.values())

    @property
    def wall_times(self) -> tuple[float, float] | None:
        """When the first and the last point were written, in seconds since the epoch."""
        times = [signal.series.wall_times for signal in self.signals.values()]
        return (min(t.min() for t in times), max(t.max() for t in times)) if times else None

    def _read(self, reader: RunReader, spec: SignalSpec) -> None:
        try:
            series = reader.series(spec.name)
        except UnreadableRun as error:
            self.troubles.append(f"`{spec.name}` cannot be drawn: {error}")
            return
        points, rows, fields = series.values.shape
        if points and rows and fields:
            known = self.info.rows.get(spec.axis, ())[:rows]
            unnamed = (Row(""),) * (rows - len(known))
            self.signals[spec.name] = Signal(spec, known + unnamed, series)
