"""Reads runs back through TensorBoard's data provider; the inverse of `writer`.

A log is a stranger's file: it may be cut off, sampled, resumed, written by a later version or
plainly wrong. Whatever cannot be read is an `UnreadableRun` that says why.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.storage import codec, metadata
from tensorboard_gradhealth.storage.local import LocalProvider, open_log_dir
from tensorboard_gradhealth.storage.memory import Memory
from tensorboard_gradhealth.storage.metadata import NewerLogError, UnreadableRun
from tensorboard_gradhealth.storage.points import Points, last_change
from tensorboard_gradhealth.storage.signal_points import LAYOUT_AXES, SignalPoints
from tensorboard_gradhealth.storage.tags import (
    ProvidedTags,
    Tags,
    UnknownName,
    explaining,
    last_text,
    text,
)
from tensorboard_gradhealth.storage.windows import Windows
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

_NO_FACTS = '{"facts": {}, "not_measured": {}}'

_ROW_BYTES, _POINT_BYTES = 500, 80
"""Of the description of a row, and of the place of a value, in memory."""

_RECORDS_AT_ONCE = 64
"""So many are read together: enough to read each signal in one go, few beside a whole run."""


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
    """Reads one run as it was when the reader was made: make one per look, it is cheap."""

    def __init__(
        self,
        provider: Any,
        ctx: Any,
        experiment_id: str,
        run: str,
        memory: Memory | None = None,
    ) -> None:
        """The first arguments are those of `list_runs`.

        Args:
          provider: As there.
          ctx: As there.
          experiment_id: As there.
          run: The run's name.
          memory: Where to keep what a data provider has sent; a local log has its own.

        Raises:
          UnknownName: The run does not exist or holds nothing of this plugin.
          UnreadableRun: It was written by a newer version, or its metadata is damaged.
        """
        self.run = run
        self._tags: Tags
        if isinstance(provider, LocalProvider):
            self._tags = provider.tags(run)
        else:
            self._tags = ProvidedTags(provider, ctx, experiment_id, run, memory or Memory())

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
        spec = self._spec(signal)
        with explaining(f"`{signal}`"):
            found = self._points(spec)
            points = found.points.loaded()
            values = found.stacked(points)
        first_steps = self._windows.first_steps(points.steps)
        return Series(points.steps, first_steps, points.wall_times, values)

    def count(self, signal: str) -> int:
        """Returns the number of points that `series` returns, if it can read them.

        Raises:
          UnknownName: The run does not describe such a signal.
          UnreadableRun: Its last value does not fit its description.
        """
        spec = self._spec(signal)
        with explaining(f"`{signal}`"):
            found = self._points(spec)
            count = len(found.points.steps)
            found.stacked(found.points.take(np.arange(count)[-1:]))
            return count

    def records(self) -> list[Record]:
        """Returns the records in step order, as a rule engine is fed with them."""
        return list(self.records_from(0))

    def records_from(self, start: int) -> Iterator[Record]:
        """Yields the records in step order, holding few of them in memory.

        Args:
          start: How many of them to leave out at the beginning.
        """
        signals = {name: self._placed(name) for name in self._info.signals}
        for first in range(start, self.kept, _RECORDS_AT_ONCE):
            last = min(first + _RECORDS_AT_ONCE, self.kept)
            yield from self._some_records(first, last, signals)

    def _placed(self, signal: str) -> tuple[SignalPoints, npt.NDArray[np.intp]]:
        """Returns the points of a signal, and to which record each belongs."""
        with explaining(f"`{signal}`"):
            found = self._points(self._info.signals[signal])
        # A server that samples may keep a point and drop its record; it joins the next one.
        return found, np.searchsorted(self._windows.steps, found.points.steps)

    def _some_records(
        self, first: int, last: int, signals: dict[str, tuple[SignalPoints, npt.NDArray[np.intp]]]
    ) -> Iterator[Record]:
        values: list[dict[str, npt.NDArray[np.float32]]] = [{} for _ in range(first, last)]
        for name, (found, positions) in signals.items():
            inside = np.flatnonzero((positions >= first) & (positions < last))
            with explaining(f"`{name}`"):
                stacked = found.stacked(found.points.take(inside))
            for position, array in zip(positions[inside].tolist(), stacked, strict=True):
                values[position - first][name] = array
        for index, measured in enumerate(values, start=first):
            yield self._windows.record(index, measured)

    def times(self) -> tuple[float, ...]:
        """Returns when each record was written, in seconds since the epoch."""
        return tuple(self._windows.wall_times.tolist())

    def size(self) -> int:
        """Returns how many bytes the reader takes in memory, about, without what it has read."""
        rows = sum(map(len, self.info().rows.values()))
        return _ROW_BYTES * rows + _POINT_BYTES * self.kept * (1 + len(self.info().signals))

    def findings(self) -> tuple[list[Finding], list[RuleState]] | None:
        """Returns what was found during training; None if nothing was judged there."""
        with explaining(f"`{metadata.FINDINGS_TAG}`"):
            points = self._current(metadata.FINDINGS_TAG)
            if not len(points.steps):
                return None
            return codec.parse_findings(text(points.values[-1]))

    def flights(self) -> list[Flight]:
        """Returns the single steps that were kept where findings opened, in step order.

        Those from before a change of the layers are left out.

        Raises:
          UnreadableRun: They do not fit their description.
        """
        with explaining(f"`{metadata.FLIGHT_TAG}`"):
            flights = self._current(metadata.FLIGHT_TAG)
            flights = flights.take(np.flatnonzero(flights.wall_times >= self._layers_change[1]))
            texts = self._current(metadata.FLIGHT_INFO_TAG)
            about = dict(zip(texts.steps.tolist(), texts.values, strict=True))
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
        return int(self._windows.steps[-1]) if self.kept else -1

    @property
    def kept(self) -> int:
        """Number of records that the log, or the server that samples it, still holds."""
        return len(self._windows)

    @property
    def written(self) -> int:
        """Number of records that were written; a run that starts anew counts anew."""
        return self._windows.written

    @property
    def layers_since(self) -> int:
        """Step at which the layers became what they are now; 0 if they never changed."""
        return self._layers_change[0]

    @property
    def _layers_change(self) -> tuple[int, float]:
        rows = [self._tags.read(metadata.ROWS_PREFIX + axis) for axis in LAYOUT_AXES]
        return max(last_change(points) for points in rows)

    @functools.cached_property
    def _info(self) -> RunInfo:
        prefix = metadata.ROWS_PREFIX
        with explaining("the description of the run"):
            rows = {
                cast(Axis, tag.removeprefix(prefix)): last_text(self._tags, tag, "[]")
                for tag in self._tags.names
                if tag.startswith(prefix)
            }
            signals = last_text(self._tags, metadata.SIGNALS_TAG, "{}")
            facts = last_text(self._tags, metadata.FACTS_TAG, _NO_FACTS)
            return codec.parse_info(rows, signals, facts)

    @functools.cached_property
    def _windows(self) -> Windows:
        return Windows.of(self._tags, self._info.signals)

    def _spec(self, signal: str) -> SignalSpec:
        if signal not in self._info.signals:
            known = ", ".join(sorted(self._info.signals)) or "none"
            raise UnknownName(f"There is no signal {signal!r} in run {self.run!r}; known: {known}.")
        return self._info.signals[signal]

    def _points(self, spec: SignalSpec) -> SignalPoints:
        return SignalPoints.of(self._tags, self._windows, self._info, spec)

    def _current(self, tag: str, value_bytes: int = 1) -> Points:
        return self._windows.current(self._tags.read(tag, value_bytes))
