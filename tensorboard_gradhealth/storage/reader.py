"""Reads runs back through TensorBoard's data provider; the inverse of `writer`.

A log is a stranger's file: it may be cut off, sampled, resumed, written by a later version or
plainly wrong. Whatever cannot be read is an `UnreadableRun` that says why.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.storage import codec, metadata
from tensorboard_gradhealth.storage.local import open_log_dir
from tensorboard_gradhealth.storage.metadata import NewerLogError, UnreadableRun
from tensorboard_gradhealth.storage.points import Points, current, last_change
from tensorboard_gradhealth.storage.tags import Tags, UnknownName, explaining, text
from tensorboard_gradhealth.types import (
    Axis,
    Finding,
    Flight,
    Record,
    RuleState,
    RunInfo,
    SignalSpec,
)

__all__ = [
    "NewerLogError",
    "RunReader",
    "Series",
    "UnknownName",
    "UnreadableRun",
    "list_runs",
    "open_log_dir",
]

_LAYOUT_AXES = ("variable", "activation")
"""Axes whose rows are the layers. Rows of the others, such as classes, may grow as they are met."""


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """One signal over time.

    Attributes:
      steps: int64 `[T]`, the last step of each window, increasing.
      first_steps: int64 `[T]`, the first step of each window.
      wall_times: float64 `[T]`, seconds since the epoch.
      values: float32 `[T, rows, fields]`.
    """

    steps: npt.NDArray[np.int64]
    first_steps: npt.NDArray[np.int64]
    wall_times: npt.NDArray[np.float64]
    values: npt.NDArray[np.float32]


def list_runs(provider: Any, ctx: Any, experiment_id: str) -> dict[str, Hashable]:
    """Lists the runs that hold data of this plugin.

    Args:
      provider: A TensorBoard data provider, or what `open_log_dir` returns.
      ctx: The request's context; None for `open_log_dir`.
      experiment_id: As TensorBoard hands it to a plugin; "" for `open_log_dir`.

    Returns:
      By run name, in alphabetical order, a value that changes whenever the run grew.
    """
    listing = provider.list_tensors(
        ctx, experiment_id=experiment_id, plugin_name=metadata.PLUGIN_NAME
    )
    return {run: _fingerprint(listing[run]) for run in sorted(listing) if listing[run]}


def _fingerprint(tags: dict[str, Any]) -> Hashable:
    return tuple(sorted((tag, item.max_step, item.max_wall_time) for tag, item in tags.items()))


class RunReader:
    """Reads one run. Every tag is read once, so that a reader is a snapshot: make one per look."""

    def __init__(self, provider: Any, ctx: Any, experiment_id: str, run: str) -> None:
        """Arguments are those of `list_runs`, and the run's name.

        Raises:
          UnknownName: The run does not exist or holds nothing of this plugin.
          UnreadableRun: It was written by a newer version, or its metadata is damaged.
        """
        self.run = run
        self._tags = Tags(provider, ctx, experiment_id, run)
        self._series: dict[str, Series] = {}

    def info(self) -> RunInfo:
        """Returns what is known of the run, as it was last written."""
        return self._info

    def series(self, signal: str) -> Series:
        """Returns all points of a signal that the log still holds; none if it was not measured.

        Points from before a change of the layers are left out: their rows are other layers.

        Raises:
          UnknownName: The run does not describe such a signal.
          UnreadableRun: Its values do not fit its description.
        """
        if signal not in self._info.signals:
            known = ", ".join(sorted(self._info.signals)) or "none"
            raise UnknownName(f"There is no signal {signal!r} in run {self.run!r}; known: {known}.")
        if signal not in self._series:
            with explaining(f"`{signal}`"):
                self._series[signal] = self._read_series(self._info.signals[signal])
            self._tags.forget(metadata.signal_tag(signal))
        return self._series[signal]

    def records(self) -> list[Record]:
        """Returns the records in step order, as a rule engine is fed with them."""
        windows = self._windows
        signals: list[dict[str, npt.NDArray[np.float32]]] = [{} for _ in windows.steps]
        for name in self._info.signals:
            series = self.series(name)
            # A server that samples may keep a point and drop its record; it joins the next one.
            position = np.searchsorted(windows.steps, series.steps)
            for index, values in zip(position, series.values, strict=True):
                if index < len(signals):
                    signals[index][name] = values
        return [
            Record(int(step), int(window[0]), values, int(window[2]), int(window[3]))
            for step, window, values in zip(windows.steps, windows.values, signals, strict=True)
        ]

    def findings(self) -> tuple[list[Finding], list[RuleState]] | None:
        """Returns what was found during training; None if nothing was judged there."""
        points = self._current(metadata.FINDINGS_TAG)
        if not len(points.steps):
            return None
        with explaining(f"`{metadata.FINDINGS_TAG}`"):
            return codec.parse_findings(text(points.values[-1]))

    def flights(self) -> list[Flight]:
        """Returns the single steps that were kept where findings opened, in step order.

        Those from before a change of the layers are left out.

        Raises:
          UnreadableRun: They do not fit their description.
        """
        flights = self._current(metadata.FLIGHT_TAG)
        flights = flights.take(np.flatnonzero(flights.wall_times >= self._layers_change[1]))
        texts = self._current(metadata.FLIGHT_INFO_TAG)
        about = dict(zip(texts.steps.tolist(), texts.values, strict=True))
        with explaining(f"`{metadata.FLIGHT_TAG}`"):
            return [
                codec.parse_flight(text(about[step]), columns, wall_time)
                for step, wall_time, columns in zip(
                    flights.steps.tolist(), flights.wall_times.tolist(), flights.values, strict=True
                )
                if step in about  # a server that samples may have dropped it
            ]

    @property
    def last_step(self) -> int:
        """Last step of the run; -1 if it has no record yet."""
        return int(self._windows.steps[-1]) if len(self._windows.steps) else -1

    @property
    def kept(self) -> int:
        """Number of records that the log, or the server that samples it, still holds."""
        return len(self._windows.steps)

    @property
    def written(self) -> int:
        """Number of records that were written; a run that starts anew counts anew."""
        counts = np.array([window[2] for window in self._windows.values], np.int64)
        ends_part = np.append(np.diff(counts) <= 0, True)[: len(counts)]
        return max(self.kept, int(counts[ends_part].sum()))

    @property
    def layers_since(self) -> int:
        """Step at which the layers became what they are now; 0 if they never changed."""
        return self._layers_change[0]

    @property
    def _layers_change(self) -> tuple[int, float]:
        rows = [self._tags.read(metadata.ROWS_PREFIX + axis) for axis in _LAYOUT_AXES]
        return max(last_change(points) for points in rows)

    @functools.cached_property
    def _info(self) -> RunInfo:
        prefix = metadata.ROWS_PREFIX
        with explaining("the description of the run"):
            rows = {
                cast(Axis, tag.removeprefix(prefix)): self._tags.last_text(tag, "[]")
                for tag in self._tags.names
                if tag.startswith(prefix)
            }
            signals = self._tags.last_text(metadata.SIGNALS_TAG, "{}")
            facts = self._tags.last_text(metadata.FACTS_TAG, '{"facts": {}, "not_measured": {}}')
            return codec.parse_info(rows, signals, facts)

    @functools.cached_property
    def _windows(self) -> Points:
        if metadata.WINDOW_TAG not in self._tags.names:
            return self._implied_windows()
        points = self._tags.read(metadata.WINDOW_TAG)
        if not all(value.shape == (4,) and np.isfinite(value).all() for value in points.values):
            raise UnreadableRun(f"`{metadata.WINDOW_TAG}` does not hold four numbers.")
        return current(points, points, _begins(points))

    def _read_series(self, spec: SignalSpec) -> Series:
        points = self._current(metadata.signal_tag(spec.name))
        rows = len(self._info.rows.get(spec.axis, ()))
        if rows and spec.axis in _LAYOUT_AXES:
            _, start = last_change(self._tags.read(metadata.ROWS_PREFIX + spec.axis))
            points = points.take(np.flatnonzero(points.wall_times >= start))
        elif len(points.steps):
            rows = len(points.values[-1])
            same = [i for i, value in enumerate(points.values) if len(value) == rows]
            points = points.take(np.array(same, np.intp))
        values = _stack(spec.name, points, (rows, len(spec.fields)))
        return Series(points.steps, self._first_steps(points), points.wall_times, values)

    def _implied_windows(self) -> Points:
        """Signals that were written one by one, as summaries are: every step is a record."""
        tags = [metadata.signal_tag(name) for name in self._info.signals]
        last_written_at: dict[int, float] = {}
        for points in map(self._tags.read, tags):
            for step, wall_time in zip(points.steps, points.wall_times, strict=True):
                at = last_written_at.get(int(step), -np.inf)
                last_written_at[int(step)] = max(at, float(wall_time))
        points = Points(
            np.array(list(last_written_at), np.int64),
            np.array(list(last_written_at.values()), np.float64),
            [np.array([step, 1, 0, -1], np.float64) for step in last_written_at],
        )
        return current(points, points)

    def _current(self, tag: str) -> Points:
        points = current(self._tags.read(tag), self._tags.read(tag))
        implied = metadata.WINDOW_TAG not in self._tags.names
        return current(points, self._windows, None if implied else _begins(self._windows))

    def _first_steps(self, points: Points) -> npt.NDArray[np.int64]:
        first = {
            int(step): int(window[0])
            for step, window in zip(self._windows.steps, self._windows.values, strict=True)
        }
        return np.array([first.get(int(step), step) for step in points.steps], np.int64)


def _begins(windows: Points) -> npt.NDArray[np.int64]:
    return np.array([window[0] for window in windows.values], np.int64)


def _stack(signal: str, points: Points, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    for step, value in zip(points.steps, points.values, strict=True):
        if value.shape != shape or value.dtype != np.float32:
            raise UnreadableRun(
                f"`{signal}` at step {step} is {value.dtype} {list(value.shape)}; "
                f"its description says float32 {list(shape)}."
            )
    return np.stack(points.values) if len(points.values) else np.zeros((0, *shape), np.float32)
