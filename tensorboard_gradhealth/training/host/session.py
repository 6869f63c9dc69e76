"""The host's side of a monitored training: reads the ring, cuts windows, judges, writes, speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tensorboard_gradhealth import text
from tensorboard_gradhealth.rules import Engine
from tensorboard_gradhealth.signals._base import EpochContext, Phase, Signal
from tensorboard_gradhealth.storage.reader import UnreadableRun
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import Slot, StepRecorder
from tensorboard_gradhealth.training.hooks.replica import Replica, merged_rows, merged_running
from tensorboard_gradhealth.training.host.action_runner import ActionRunner
from tensorboard_gradhealth.training.host.columns import Columns
from tensorboard_gradhealth.training.host.flight_recorder import FlightRecorder
from tensorboard_gradhealth.training.host.past import Past, holds_run, join, read_past
from tensorboard_gradhealth.training.host.row_groups import RowGroups
from tensorboard_gradhealth.training.host.windows import Window, WindowFolder
from tensorboard_gradhealth.types import (
    NOT_MEASURED,
    Axis,
    Finding,
    Flight,
    Record,
    Row,
    RuleState,
    RunInfo,
)

Array = npt.NDArray[np.float32]

START_SAMPLE = 2**18
"""About how many elements of each variable are looked at before the first step."""

RUNNING_GROWTH = 1.25
"""Running statistics are written at steps that grow by this factor: they change ever less."""

_REPLACED = (
    "{!r} holds the log of an earlier training. This model has not been trained yet, so its log "
    "replaces that one. To keep both, give each training a directory of its own."
)


class Session:
    """Turns what a recorder holds into records, findings and a log.

    Where the log already holds steps before `first_step`, the session goes on where they end: with
    the budget, the findings, the counts and the first non-finite step that they left.

    Args:
      writer: Where the log goes.
      signals: What is measured.
      recorder: The ring that the training step fills.
      instrument: Knows the rows and the running statistics.
      folder: Cuts steps into windows.
      engine_options: Passed to `Engine`.
      echo: Prints one text; called when a finding opens.
      first_step: Number of the first step that the recorder will hold.
      others: The other replicas of the training.
      actions: Called when findings open.
      groups: Says which rows become one; none do, if not given.
    """

    def __init__(
        self,
        writer: RunWriter,
        *,
        signals: Sequence[Signal],
        recorder: StepRecorder,
        instrument: Instrument,
        folder: WindowFolder,
        engine_options: Mapping[str, Any],
        echo: Callable[[str], None],
        first_step: int = 0,
        others: Sequence[Replica] = (),
        actions: ActionRunner | None = None,
        groups: RowGroups | None = None,
    ) -> None:
        self.facts: dict[str, Any] = {}
        self.not_measured: dict[str, str] = {}
        self._writer = writer
        self._measured = signals
        self._others = others
        self._signals = {signal.spec.name: signal.spec for signal in signals}
        self._sampled = {each.spec.name for each in signals if each.cadence == "sample"}
        self._recorder = recorder
        self._instrument = instrument
        self._folder = folder
        self._engine_options = engine_options
        self._echo = echo
        self._offset = first_step
        self._taken = 0
        self._actions = actions or ActionRunner()
        self._groups = groups
        self._unread = 0
        self._next_running = 0
        self._written = 0
        self._told: set[str] = set()
        self._last_step = first_step
        self._first_nonfinite = -1
        self._engine: Engine | None = None
        self._stored: tuple[list[Finding], list[RuleState]] | None = None
        self._info = RunInfo()
        self._columns = Columns((), self._info)
        self._layout: tuple[object, ...] = ()
        self._said: set[str] = set()
        self._flights = FlightRecorder()
        self._running_before: dict[str, Array] = {}
        self._noted: dict[str, Mapping[str, npt.ArrayLike]] = {}

    @property
    def findings(self) -> list[Finding]:
        """All findings so far, root causes first, each followed by its consequences."""
        return list(self._engine.findings) if self._engine else []

    @property
    def rule_states(self) -> list[RuleState]:
        """What each rule says so far; nothing before the first record."""
        return self._engine.states() if self._engine else []

    def after_steps(self, count: int) -> None:
        """Says that `count` more steps were taken; reads and judges when a window is due."""
        self._taken += count
        self._unread += count
        if self._unread >= min(self._folder.due(), self._recorder.capacity - count):
            self.read()
        self._actions.watch(self._offset + self._taken)

    def read(self) -> None:
        """Takes in every step that was not read yet."""
        self._unread = 0
        first, rows = self._recorder.read()
        if not len(rows):
            return
        slots = list(self._recorder.slots.values())
        if self._others:
            rows = merged_rows(rows, slots, self._others, self._measured)
        if self._groups is not None:
            self._groups.follow(self._instrument.rows)
            rows, slots = self._groups.steps(rows, slots)
        engine = self._engine or self._start(first + self._offset, slots)
        self._follow_layout(first + self._offset, slots)
        self._flights.add(first, rows)
        for window in self._windows(first, rows):
            self._take(window, engine)

    def start(self, variables: Iterable[tuple[Row, Any]]) -> None:
        """Takes in what variables hold before the first step; it goes into the first record.

        A training that goes on from a checkpoint has had its first step before.

        Args:
          variables: Keras or TensorFlow variables with their rows.
        """
        if self._offset:
            return
        chosen = [pair for pair in variables if self._instrument.selects(pair[0].name)]
        self._instrument.add_rows("variable", [row for row, _ in chosen])
        for signal in self._measured:
            if signal.phase == "start":
                values = {row.name: signal.measure(_elements(each)) for row, each in chosen}
                self.note(signal.spec.name, values)

    def probe(self, phase: Phase, context: Any) -> None:
        """Measures what is looked at beside a step; it goes into the next record."""
        for signal in self._measured:
            if signal.phase == phase and (values := signal.measure(context)):
                self.note(signal.spec.name, values)

    def epoch(self, metrics: Mapping[str, float]) -> None:
        """Takes in what an epoch or an evaluation ended with; it goes into the next record.

        Args:
          metrics: Numbers by name; those of the validation data begin with `val_`.
        """
        self._instrument.add_rows("metric", [Row(name) for name in metrics])
        self.probe("epoch", EpochContext(metrics))

    def note(self, signal: str, values: Mapping[str, npt.ArrayLike]) -> None:
        """Hands in what was not measured by the step itself; it goes into the next record.

        Args:
          signal: Its name; one that nobody asked for is left out.
          values: By row name, one number or float `[fields]`. Rows without are `NOT_MEASURED`.
        """
        if signal in self._signals:
            self._noted[signal] = {**self._noted.get(signal, {}), **values}

    def finish(self) -> None:
        """Ends a training: closes the window under way and leaves the log complete on disk."""
        self.read()
        if self._engine is not None:
            self._write_info(self._last_step)  # an epoch's end may have brought the first metrics
            for window in self._folder.flush() if self._noted else self._folder.end():
                self._take(window, self._engine)
            if self._noted:
                self._add_to_last(self._engine)
            self._write_findings(self._engine, self._last_step)
        self._writer.pause()

    def close(self) -> None:
        """Ends a training after which there is no other."""
        self.finish()
        self._writer.close()

    def summary(self) -> str:
        """Returns the closing words: what was found, what was checked and what was not."""
        return text.render_summary(self.findings, self.rule_states)

    def _windows(self, first: int, rows: Array) -> Iterator[Window]:
        """Folds steps; the first one that is not finite ends its window, so that it is told now."""
        bad = self._note_nonfinite(first, rows)
        if bad is not None:
            yield from self._folder.add(first, rows[: bad + 1])
            yield from self._folder.flush()
            first, rows = first + bad + 1, rows[bad + 1 :]
        yield from self._folder.add(first, rows)

    def _start(self, step: int, slots: Sequence[Slot]) -> Engine:
        """Starts judging, with what the log holds of the steps before."""
        past = self._read_past()
        self._follow_layout(step, slots)
        self._folder.resume(len(past.records))
        self._flights.left = max(0, self._flights.left - past.flights)
        self._first_nonfinite = past.first_nonfinite_step
        self._written = past.records[-1].written if past.records else 0
        self._running_before = {
            name: before
            for name, spec in self._signals.items()
            if "count" in spec.fields
            and (before := past.last(name)) is not None
            and past.info.rows.get(spec.axis) == self._info.rows.get(spec.axis)
            and past.info.signals[name].fields == spec.fields
        }
        self._engine = Engine(self._info, **self._engine_options)
        for record in past.comparable(self._info):  # the same records give the same findings
            self._engine.feed(record)
        self._told.update(f.id for f in self._engine.findings if f.severity != "info")
        self._actions.resume(self._engine.findings)
        return self._engine

    def _read_past(self) -> Past:
        try:
            if not self._offset and holds_run(self._writer.log_dir):
                self._echo(_REPLACED.format(self._writer.log_dir))
            return read_past(self._writer.log_dir, self._offset)
        except UnreadableRun as error:
            self._echo(f"The log in {self._writer.log_dir!r} is started anew: {error}")
            return Past()

    def _take(self, window: Window, engine: Engine) -> None:
        record = self._record(window)
        self._writer.write_record(record)
        if engine.feed(record):
            self._write_findings(engine, record.step)
            self._tell(record.step)

    def _add_to_last(self, engine: Engine) -> None:
        """Writes what was handed in after the last record was."""
        record = Record(self._last_step, self._last_step, self._take_noted(), self._written)
        self._writer.add_signals(record)
        if engine.feed(record):
            self._tell(record.step)

    def _tell(self, step: int) -> None:
        """Keeps the steps before, prints findings that opened or grew beyond `info`, and acts."""
        new = [f for f in self.findings if f.severity != "info" and f.id not in self._told]
        self._told.update(finding.id for finding in new)
        flight = self._flights.take(step - self._offset) if new else None
        if flight is not None:
            first, rows = flight
            signals = {name: part.T for name, part in self._columns.sort(rows.T).items()}
            ids = tuple(finding.id for finding in new)
            self._writer.write_flight(Flight(ids, first + self._offset, signals), step)
        for finding in new:
            render = text.render_consequence if finding.caused_by else text.render_finding
            self._echo(render(finding))
        self._actions.run(self.findings)

    def _record(self, window: Window) -> Record:
        signals = self._columns.sort(window.values)
        for name in self._sampled & signals.keys():
            if (signals[name] == NOT_MEASURED).all():
                del signals[name]  # it was sampled at none of these steps, and holds as it was
        if window.last_step >= self._next_running:
            signals.update(self._running())
            self._next_running = int(window.last_step * RUNNING_GROWTH) + 1
        signals.update(self._take_noted())
        self._written += 1
        self._last_step = window.last_step + self._offset
        known = self._first_nonfinite <= self._last_step
        return Record(
            step=self._last_step,
            first_step=window.first_step + self._offset,
            signals=signals,
            written=self._written,
            first_nonfinite_step=self._first_nonfinite if known else -1,
        )

    def _take_noted(self) -> dict[str, Array]:
        noted, self._noted = self._noted, {}
        return {name: self._in_rows(name, values) for name, values in noted.items()}

    def _in_rows(self, signal: str, noted: Mapping[str, npt.ArrayLike]) -> Array:
        """Puts values by row name into float32 `[rows, fields]`."""
        spec = self._signals[signal]
        names = ("",) if spec.axis == "run" else tuple(self._instrument.rows.get(spec.axis, ()))
        values = np.full((len(names), len(spec.fields)), NOT_MEASURED, np.float32)
        for index, name in enumerate(names):
            values[index] = noted.get(name, NOT_MEASURED)
        if self._groups is None:
            return values
        self._groups.follow(self._instrument.rows)
        return self._groups.noted(signal, values)

    def _running(self) -> dict[str, Array]:
        """Running statistics, with those of the steps that the log held before."""
        running = merged_running(self._instrument.read_running(), self._others, self._measured)
        for name, before in self._running_before.items():
            if name in running and running[name].shape == before.shape:
                running[name] = join(before, running[name], self._signals[name].fields)
        return running

    def _note_nonfinite(self, first: int, rows: Array) -> int | None:
        """Notes the first step of all that was not finite; returns its position in `rows`."""
        if self._first_nonfinite >= 0:
            return None
        bad = ~np.isfinite(rows).all(axis=1) | (rows[:, self._columns.counts] > 0).any(axis=1)
        if not bad.any():
            return None
        position = int(bad.argmax())
        self._first_nonfinite = first + position + self._offset
        # The input statistics may tell which feature it came from.
        self._next_running = min(self._next_running, first + position)
        return position

    def _follow_layout(self, step: int, slots: Sequence[Slot]) -> None:
        """Describes the run at first, and again where a step has brought new rows or facts."""
        rows = tuple(self._rows().values())  # as many others may have taken their place
        layout = tuple(slots), rows, dict(self.facts)
        said = set(self.not_measured)
        if layout != self._layout or not said <= self._said:
            self._layout = layout
            self._said |= said  # a reason that comes and goes is not written each time
            self._write_info(step)
            self._columns = Columns(slots, self._info)

    def _rows(self) -> dict[Axis, tuple[Row, ...]]:
        """Returns the rows of the log."""
        if self._groups is not None:
            return self._groups.follow(self._instrument.rows)
        return {axis: tuple(rows.values()) for axis, rows in self._instrument.rows.items()}

    def _write_info(self, step: int) -> None:
        rows = self._rows()
        facts = self.facts if self._groups is None else self._groups.facts(self.facts)
        info = RunInfo(rows, self._signals, dict(facts), dict(self.not_measured))
        if info != self._info:
            self._info = info
            self._writer.write_info(info, step)
            if self._engine is not None:
                self._engine.info = info

    def _write_findings(self, engine: Engine, step: int) -> None:
        judged = engine.findings, engine.states()
        if judged != self._stored:
            self._stored = judged
            self._writer.write_findings(*judged, step)


def _elements(variable: Any) -> Array:
    """Returns elements of a variable at even distances: enough to describe it, never a copy."""
    flat = tf.reshape(tf.convert_to_tensor(variable), [-1])
    elements: Array = flat[:: max(1, int(flat.shape[0]) // START_SAMPLE)].numpy()
    return elements
