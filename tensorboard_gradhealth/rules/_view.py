"""What a rule sees: the latest values, a bounded past, the first steps, and what the run is.

Memory is bounded whatever the length of the run: each signal keeps its last `PAST` records and
those of its first `EARLY` steps; those of the whole run also keep their course since step 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.rules._course import Course
from tensorboard_gradhealth.types import FOLDED, NOT_MEASURED, Axis, Record, Row, RunInfo

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.int64]
T = TypeVar("T")

PAST = 64
EARLY = 50
WHOLE_AXES = ("run", "metric")
"""Axes whose signals have few rows."""


class History:
    """The bounded past of one signal."""

    def __init__(
        self, fields: tuple[str, ...], shape: tuple[int, ...], *, whole: bool = False
    ) -> None:
        """Keeps arrays of `shape` = `[rows, fields]`, and the course of the means if `whole`.

        Raises:
          ValueError: The number of fields is not that of the array.
        """
        if len(shape) != 2 or shape[1] != len(fields):
            raise ValueError(f"shape {shape} is not [rows, {len(fields)}] for fields {fields}")
        self.columns = {field: column for column, field in enumerate(fields)}
        self.shape = shape
        self.appended = 0
        # Twice the room, so that the past is one contiguous slice and moving it is rare.
        self._values = np.empty((2 * PAST, *shape), np.float32)
        self._steps = np.empty((2 * PAST, 2), np.int64)
        self._end = 0
        self.not_measured: Bools = np.zeros(shape, np.bool_)
        self._early = np.empty((EARLY + 1, *shape), np.float32)
        self._early_steps = np.empty(EARLY + 1, np.int64)
        self._early_end = 0
        self.course = Course(shape[0]) if whole and "mean" in fields else None

    def append(self, record: Record, values: Floats) -> None:
        """Adds the values of a record, float32 `[rows, fields]`; not measured becomes NaN."""
        if self._end == 2 * PAST:
            self._values[:PAST] = self._values[PAST:]
            self._steps[:PAST] = self._steps[PAST:]
            self._end = PAST
        self.not_measured = values == NOT_MEASURED
        self._values[self._end] = values
        self._values[self._end][self.not_measured] = np.nan
        self._steps[self._end] = record.first_step, record.step
        if self.course is not None:
            means = self._values[self._end][:, self.columns["mean"]]
            self.course.append(record.first_step, record.step, means)
        self._end += 1
        if record.step <= EARLY and self._early_end <= EARLY:
            self._early[self._early_end] = self._values[self._end - 1]
            self._early_steps[self._early_end] = record.step
            self._early_end += 1
        self.appended += 1

    def newest(self, *, early: bool) -> int:
        """How many records it has taken in, or of those it keeps of the first steps."""
        return self._early_end if early else self.appended

    def latest(self) -> Floats:
        """float32 `[rows, fields]`."""
        newest: Floats = self._values[self._end - 1]
        return newest

    def past(self, records: int) -> Floats:
        """float32 `[records or fewer, rows, fields]`, oldest first."""
        return self._values[max(0, self._end - min(records, PAST)) : self._end]

    def past_steps(self, records: int) -> Steps:
        """int64 `[records or fewer, 2]`: first and last step of each."""
        return self._steps[max(0, self._end - min(records, PAST)) : self._end]

    def early(self, last_step: int) -> Floats:
        """float32 `[records, rows, fields]` of the records up to `last_step`."""
        steps = self._early_steps[: self._early_end]
        return self._early[: int(np.searchsorted(steps, last_step, side="right"))]

    def early_steps(self, last_step: int) -> Steps:
        """int64 `[records]`: last step of each record in `early`."""
        steps = self._early_steps[: self._early_end]
        return steps[: int(np.searchsorted(steps, last_step, side="right"))]


class Layout:
    """The rows of a run as arrays, made once: rules ask for them at every record.

    Attributes:
      answers: What `View.answer` remembers, beside what it was computed from.
    """

    def __init__(self, info: RunInfo) -> None:
        self.info = info
        self._rows: dict[tuple[str, int], tuple[Row, ...]] = {}
        self._roles: dict[tuple[str, int, str], Bools] = {}
        self._sizes: dict[tuple[str, int], Floats] = {}
        self.answers: dict[Hashable, tuple[object, Any]] = {}

    def keeps_course(self, signal: str) -> bool:
        """Whether the signal has so few rows that its whole past can be kept."""
        return self.axis(signal) in WHOLE_AXES

    def axis(self, signal: str) -> Axis:
        """What a row of the signal stands for."""
        spec = self.info.signals.get(signal)
        return spec.axis if spec else "run"

    def fields(self, signal: str) -> tuple[str, ...]:
        """Names of the columns; the folded ones where the run does not describe the signal."""
        spec = self.info.signals.get(signal)
        return spec.fields if spec else FOLDED

    def rows(self, signal: str, count: int) -> tuple[Row, ...]:
        """The `count` rows of a signal; nameless where the run describes fewer."""
        key = signal, count
        if key not in self._rows:
            known = tuple(self.info.rows.get(self.axis(signal), ()))[:count]
            nameless = (Row(f"row {index}") for index in range(len(known), count))
            self._rows[key] = (*known, *nameless)
        return self._rows[key]

    def where(self, signal: str, count: int, role: str) -> Bools:
        """Which rows have that role; bool `[count]`."""
        key = signal, count, role
        if key not in self._roles:
            self._roles[key] = np.array([r.role == role for r in self.rows(signal, count)], bool)
        return self._roles[key]

    def normalised(self, signal: str, count: int) -> Bools:
        """Which variables belong to a layer right before a normalisation; bool `[count]`."""
        key = signal, count, "before norm"
        if key not in self._roles:
            rows = self.rows(signal, count)
            layers = list(dict.fromkeys(row.layer for row in rows))
            norms = {row.layer for row in rows if row.role == "norm"}
            before = {a for a, b in itertools.pairwise(layers) if b in norms}
            self._roles[key] = np.array([row.layer in before for row in rows], bool)
        return self._roles[key]

    def sizes(self, signal: str, count: int) -> Floats:
        """float32 `[count]`: elements of the variables, units of the activations."""
        key = signal, count
        if key not in self._sizes:
            self._sizes[key] = np.array([r.size for r in self.rows(signal, count)], np.float32)
        return self._sizes[key]


class View:
    """A run at one record, for one rule.

    Values are NaN where nothing was measured, where a NaN was measured, and in rows that the
    user told the rule to ignore. Every comparison with NaN is false: write conditions so that
    false means healthy (`value > limit`, never `not value <= limit`).
    """

    def __init__(
        self,
        layout: Layout,
        record: Record,
        histories: Mapping[str, History],
        limits: Mapping[str, float] = MappingProxyType({}),
        ignored: Mapping[Axis, Bools] = MappingProxyType({}),
    ) -> None:
        self.record = record
        self.limits = limits
        self._layout = layout
        self._histories = histories
        self._ignored = ignored

    @property
    def facts(self) -> Mapping[str, Any]:
        """Optimizer, loss, batch size, ... as given by the run."""
        return self._layout.info.facts

    def has(self, signal: str) -> bool:
        """Whether the signal was ever recorded."""
        return signal in self._histories

    def rows(self, signal: str) -> tuple[Row, ...]:
        """Descriptions of the rows of a signal; nameless where the run gave none."""
        return self._layout.rows(signal, self._count(signal))

    def where(self, signal: str, role: str) -> Bools:
        """Which rows have that role; bool `[rows]`."""
        return self._layout.where(signal, self._count(signal), role)

    def normalised(self, signal: str) -> Bools:
        """Which variables belong to a layer right before a normalisation; bool `[rows]`."""
        return self._layout.normalised(signal, self._count(signal))

    def sizes(self, signal: str) -> Floats:
        """float32 `[rows]`: elements of the variables, units of the activations."""
        return self._layout.sizes(signal, self._count(signal))

    def latest(self, signal: str, field: str = "mean") -> Floats:
        """float32 `[rows]` of the newest record that has the signal."""
        history = self._histories[signal]
        return self._hide(signal, history.latest()[:, history.columns[field]])

    def measured(self, signal: str, field: str = "mean") -> Bools:
        """Where the newest value is a measurement, be it NaN; bool `[rows]`."""
        history = self._histories[signal]
        missing: Bools = history.not_measured[:, history.columns[field]]
        return ~missing

    def scalar(self, signal: str, field: str = "mean") -> float:
        """Newest value of a signal of the whole run; NaN if it was not recorded."""
        if not self.has(signal):
            return float("nan")
        history = self._histories[signal]
        return float(history.latest()[0, history.columns[field]])

    def past(self, signal: str, records: int = PAST, field: str = "mean") -> Floats:
        """float32 `[records or fewer, rows]`, oldest first, the newest included."""
        history = self._histories[signal]
        return self._hide(signal, history.past(records)[..., history.columns[field]])

    def past_steps(self, signal: str, records: int = PAST) -> Steps:
        """int64 `[records or fewer, 2]`: first and last step of each record of `past`."""
        return self._histories[signal].past_steps(records)

    def early(self, signal: str, last_step: int = EARLY, field: str = "mean") -> Floats:
        """float32 `[records, rows]` of the records up to `last_step` (at most EARLY)."""
        history = self._histories[signal]
        return self._hide(signal, history.early(last_step)[..., history.columns[field]])

    def early_steps(self, signal: str, last_step: int = EARLY) -> Steps:
        """int64 `[records]`: last step of each record of `early`."""
        return self._histories[signal].early_steps(last_step)

    def course(self, signal: str) -> Floats:
        """float32 `[stretches, rows]`: means since the first record; of axes `WHOLE_AXES` only."""
        return self._course(signal).means()

    def course_steps(self, signal: str) -> Steps:
        """int64 `[stretches, 2]`: first and last step of each stretch of `course`."""
        return self._course(signal).steps()

    def answer(
        self, question: Hashable, signals: tuple[str, ...], early: bool, compute: Callable[[], T]
    ) -> T:
        """Computes what depends on `signals` alone, unless that was done since they changed."""
        histories = [self._histories.get(signal) for signal in signals]
        state = [(history, history and history.newest(early=early)) for history in histories]
        # Rules that ignore other rows see other values; those of one rule stay as long as a layout.
        key = question, id(self._ignored) if self._ignored else None
        known, answer = self._layout.answers.get(key, (None, None))
        if known != state:
            answer = compute()
            self._layout.answers[key] = state, answer
        return answer  # type: ignore[no-any-return]

    def _course(self, signal: str) -> Course:
        course = self._histories[signal].course
        if course is None:
            raise KeyError(f"no course is kept of signal {signal!r}")
        return course

    def _count(self, signal: str) -> int:
        return self._histories[signal].shape[0]

    def _hide(self, signal: str, values: Floats) -> Floats:
        ignored = self._ignored.get(self._layout.axis(signal))
        if ignored is None:
            return values
        # A run may describe fewer rows than it measures.
        count = values.shape[-1]
        mask = np.pad(ignored[:count], (0, max(0, count - len(ignored))))
        return np.where(mask, np.float32(np.nan), values)
