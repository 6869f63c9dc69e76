"""Reads what was measured in a run, and found in it, back from its log."""

from __future__ import annotations

import dataclasses
import functools
import os

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.diagnosis import judge, naming, open_run
from tensorboard_gradhealth.storage.reader import RunReader
from tensorboard_gradhealth.types import NOT_MEASURED, Finding, RuleState


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedSeries:
    """One signal over time: T points of R rows and F fields.

    Attributes:
      signal: Its name.
      rows: Names of the R variables, activations, ...; "" for the run as a whole.
      fields: Names of the F fields, such as `mean`, `min` and `max` over the steps of a point.
      steps: int64 `[T]`, the last step of each point, increasing.
      first_steps: int64 `[T]`, the first step of each point.
      values: float32 `[T, R, F]`, NaN and infinite where that was measured.
    """

    signal: str
    rows: tuple[str, ...]
    fields: tuple[str, ...]
    steps: npt.NDArray[np.int64]
    first_steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]

    @property
    def measured(self) -> npt.NDArray[np.bool_]:
        """Where something was, bool `[T, R, F]`; elsewhere `values` has no meaning."""
        measured: npt.NDArray[np.bool_] = self.values != NOT_MEASURED
        return measured


@dataclasses.dataclass(frozen=True)
class RecordedRun:
    """A run as its log tells it. What is asked of it raises `UnreadableRun` if it is damaged.

    Attributes:
      log_dir: The directory that was given.
      name: Of the run in it, as TensorBoard names it; `.` for the directory itself.
      signals: Names of what was measured, or was to be.
    """

    log_dir: str
    name: str
    signals: tuple[str, ...]
    _reader: RunReader = dataclasses.field(repr=False)

    def series(self, signal: str) -> RecordedSeries:
        """Returns all points of a signal that the log holds; none if it was not measured.

        Raises:
          LookupError: There is no such signal; the message names those that there are.
          UnreadableRun: It is damaged.
        """
        with naming(self.log_dir, self.name):
            found, info = self._reader.series(signal), self._reader.info()
        spec = info.signals[signal]
        named = [row.name for row in info.rows.get(spec.axis, ())]
        count = found.values.shape[1]
        return RecordedSeries(
            signal=signal,
            rows=tuple([*named, *[""] * count][:count]),
            fields=spec.fields,
            steps=found.steps,
            first_steps=found.first_steps,
            values=found.values,
        )

    @property
    def findings(self) -> list[Finding]:
        """What `diagnose` returns: found during training, or else by the rules of today."""
        return list(self._judged[0])

    @property
    def rule_states(self) -> list[RuleState]:
        """Where each rule stands (`rule`, `code`, `state`), and the `reason` why one cannot say."""
        return list(self._judged[1])

    @functools.cached_property
    def _judged(self) -> tuple[list[Finding], list[RuleState]]:
        with naming(self.log_dir, self.name):
            return judge(self._reader)


def read_run(log_dir: str | os.PathLike[str], run: str | None = None) -> RecordedRun:
    """Opens the log of a run, to read what was measured in it and found. Needs no TensorFlow.

    >>> run = gradhealth.read_run("logs/run1")               # doctest: +SKIP
    >>> run.signals                                          # doctest: +SKIP
    ('loss', 'learning_rate', 'gradient_norm', ...)
    >>> norm = run.series("gradient_norm")                   # doctest: +SKIP
    >>> norm.rows                                            # doctest: +SKIP
    ('dense/kernel', 'dense/bias')
    >>> norm.values[:, 0, norm.fields.index("max")]          # doctest: +SKIP
    array([0.31, 0.27, 0.22], dtype=float32)

    Args:
      log_dir: Directory with event files, or with directories of runs.
      run: Which of them, as TensorBoard names it; may be left out where there is only one.

    Raises:
      FileNotFoundError: There is no such directory.
      ValueError: It holds no such run, none at all, or several and `run` does not say which.
      UnreadableRun: The run's log is damaged or of a later version.
    """
    path = os.fspath(log_dir)
    reader = open_run(log_dir, run)
    with naming(path, reader.run):
        return RecordedRun(path, reader.run, tuple(reader.info().signals), reader)
