"""The host's side of a monitored training: reads the ring, cuts windows, judges, writes, speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth import text
from tensorboard_gradhealth.rules import Engine
from tensorboard_gradhealth.signals._base import Signal
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.training.instrument import Instrument
from tensorboard_gradhealth.training.recorder import StepRecorder
from tensorboard_gradhealth.training.windows import Window, WindowFolder
from tensorboard_gradhealth.types import FOLDED, NOT_MEASURED, Axis, Finding, Record, RunInfo

Array = npt.NDArray[np.float32]

RUNNING_GROWTH = 1.25
"""Running statistics are written at steps that grow by this factor: they change ever less."""


class Session:
    """Turns what a recorder holds into records, findings and a log.

    Args:
      writer: Where the log goes.
      signals: What is measured.
      recorder: The ring that the training step fills.
      instrument: Knows the rows and the running statistics.
      folder: Cuts steps into windows.
      engine_options: Passed to `Engine`.
      echo: Prints one text; called when a finding opens.
      first_step: Number of the first step that the recorder will hold.
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
    ) -> None:
        self.facts: dict[str, Any] = {}
        self.not_measured: dict[str, str] = {}
        self._writer = writer
        self._signals = {signal.spec.name: signal.spec for signal in signals}
        self._recorder = recorder
        self._instrument = instrument
        self._folder = folder
        self._engine_options = engine_options
        self._echo = echo
        self._offset = first_step
        self._unread = 0
        self._next_running = 0
        self._written = 0
        self._told: set[str] = set()
        self._last_step = first_step
        self._first_nonfinite = -1
        self._engine: Engine | None = None
        self._info = RunInfo()

    @property
    def findings(self) -> list[Finding]:
        """All findings so far, root causes first, each followed by its consequences."""
        return list(self._engine.findings) if self._engine else []

    def after_steps(self, count: int) -> None:
        """Says that `count` more steps were taken; reads and judges when a window is due."""
        self._unread += count
        ahead = self._folder.due(self._recorder.read_steps)
        if self._unread >= min(ahead, self._recorder.capacity - count):
            self.read()

    def read(self) -> None:
        """Takes in every step that was not read yet."""
        self._unread = 0
        first, rows = self._recorder.read()
        if len(rows):
            self._note_nonfinite(first, rows)
            for window in self._folder.add(first, rows):
                self._take(window)

    def finish(self) -> None:
        """Ends a training: closes the window under way and leaves the log complete on disk."""
        self.read()
        for window in self._folder.flush():
            self._take(window)
        if self._engine is not None:
            self._write_info(self._last_step)
            self._writer.write_findings(self.findings, self._engine.states(), self._last_step)

    def summary(self) -> str:
        """Returns the closing words: what was found, what was checked and what was not."""
        states = self._engine.states() if self._engine else []
        return text.render_summary(self.findings, states)

    def _take(self, window: Window) -> None:
        if self._engine is None:
            self._write_info(window.last_step + self._offset)
            self._engine = Engine(self._info, **self._engine_options)
        record = self._record(window)
        self._writer.write_record(record)
        events = self._engine.feed(record)
        if events:
            self._writer.write_findings(self.findings, self._engine.states(), record.step)
            for finding in self.findings:
                self._tell(finding)

    def _tell(self, finding: Finding) -> None:
        """Prints a finding once: when it opens, or when it grows beyond `info`."""
        if finding.severity == "info" or finding.id in self._told:
            return
        self._told.add(finding.id)
        render = text.render_consequence if finding.caused_by else text.render_finding
        self._echo(render(finding))

    def _record(self, window: Window) -> Record:
        signals: dict[str, Array] = {}
        for slot in self._recorder.slots.values():
            axis = self._signals[slot.signal].axis
            index = self._index(axis)
            if slot.signal not in signals:
                shape = (max(len(index), 1), len(FOLDED))
                signals[slot.signal] = np.full(shape, NOT_MEASURED, np.float32)
            at = [0] if axis == "run" else [index[name] for name in slot.rows]
            signals[slot.signal][at] = window.values[slot.columns]
        if window.last_step >= self._next_running:
            signals.update(self._instrument.read_running())
            self._next_running = int(window.last_step * RUNNING_GROWTH) + 1
        self._written += 1
        self._last_step = window.last_step + self._offset
        return Record(
            step=self._last_step,
            first_step=window.first_step + self._offset,
            signals=signals,
            written=self._written,
            first_nonfinite_step=self._first_nonfinite,
        )

    def _index(self, axis: Axis) -> dict[str, int]:
        return {row.name: i for i, row in enumerate(self._info.rows.get(axis, ()))}

    def _note_nonfinite(self, first: int, rows: Array) -> None:
        bad = ~np.isfinite(rows)
        for slot in self._recorder.slots.values():
            if slot.signal.endswith("_nonfinite"):
                bad[:, slot.columns] |= rows[:, slot.columns] > 0
        if self._first_nonfinite < 0 and bad.any():
            self._first_nonfinite = int(bad.any(axis=1).argmax()) + first + self._offset
            self._next_running = 0  # the input statistics may tell which feature it came from

    def _write_info(self, step: int) -> None:
        rows = {axis: tuple(known.values()) for axis, known in self._instrument.rows.items()}
        info = RunInfo(rows, self._signals, dict(self.facts), dict(self.not_measured))
        if info != self._info:
            self._info = info
            self._writer.write_info(info, step)
            if self._engine is not None:
                self._engine.info = info
