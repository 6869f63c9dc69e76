"""The runs of a log directory, diagnosed; each is read and judged again only when it has grown."""

from __future__ import annotations

import collections
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, Literal, TypeVar

from tensorboard.util import tb_logging

from tensorboard_gradhealth.backend.judging import Judge, Limits
from tensorboard_gradhealth.storage.reader import RunReader, UnknownName, UnreadableRun, list_runs
from tensorboard_gradhealth.types import Finding, Record, RuleState, RunInfo

T = TypeVar("T")

_logger = tb_logging.get_logger()

_READERS_KEPT = 4
"""A reader holds the whole run, tens of megabytes for a large model; people look at few at once."""

_DIAGNOSES_KEPT = 1000

_LISTING_SECONDS = 1.0
"""A page asks for a dozen things at once, each of which needs the list of runs, and a listing takes
tens of milliseconds; TensorBoard itself looks for news every few seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnosis:
    """What there is to say about a run without drawing it.

    Attributes:
      run: Its name.
      last_step: Last step in the log; -1 if there is none.
      kept: Records that the server holds.
      written: Records that were written.
      findings: As found live, or else by the rules of this version.
      states: One per rule.
      origin: Which of the two it was.
      reason: Why the run cannot be read; "" if it can.
    """

    run: str
    last_step: int = -1
    kept: int = 0
    written: int = 0
    findings: tuple[Finding, ...] = ()
    states: tuple[RuleState, ...] = ()
    origin: Literal["live", "replay"] = "live"
    reason: str = ""


class Runs:
    """Hands out readers and diagnoses; safe for use by the threads of a server."""

    def __init__(
        self, provider: Any, judge: Judge, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Starts with nothing read.

        Args:
          provider: TensorBoard's data provider.
          judge: The rules, for runs that were not judged live.
          clock: Seconds, by which the list of runs grows old.
        """
        self._provider = provider
        self._judge = judge
        self._clock = clock
        self._listings: dict[str, tuple[float, dict[str, Hashable]]] = {}
        self._lock = threading.RLock()
        self._readers: _Latest[RunReader] = _Latest(_READERS_KEPT)
        self._diagnoses: _Latest[Diagnosis] = _Latest(_DIAGNOSES_KEPT)
        self._complaints: set[tuple[str, str]] = set()

    def diagnoses(self, ctx: Any, experiment_id: str) -> list[Diagnosis]:
        """Returns the diagnoses of all runs."""
        runs = self._list(ctx, experiment_id)
        return [self._diagnosis(ctx, experiment_id, run, state) for run, state in runs.items()]

    def diagnosis(self, ctx: Any, experiment_id: str, run: str) -> Diagnosis:
        """Returns the diagnosis of one run; raises `UnknownName` if there is no such run."""
        return self._diagnosis(ctx, experiment_id, run, self._state(ctx, experiment_id, run))

    def reader(self, ctx: Any, experiment_id: str, run: str) -> RunReader:
        """Returns a reader of one run.

        Raises:
          UnknownName: There is no such run.
          UnreadableRun: It cannot be read.
        """
        return self._reader(ctx, experiment_id, run, self._state(ctx, experiment_id, run))

    def replay(
        self, ctx: Any, experiment_id: str, run: str, limits: Limits
    ) -> tuple[list[Finding], list[RuleState]]:
        """Judges one run again with other limits; what was found live stays what it is.

        Raises:
          UnknownName: There is no such run.
          UnreadableRun: It cannot be read, or the rules fail on it.
          ValueError: `limits` names a rule or a limit that there is not.
        """
        reader = self.reader(ctx, experiment_id, run)
        self._judge(reader.info(), [], limits=limits)
        with self._lock:  # a reader reads on demand, and is shared
            records = reader.records()
        return self._replay(reader.info(), records, limits)

    def _list(self, ctx: Any, experiment_id: str) -> dict[str, Hashable]:
        with self._lock:
            now = self._clock()
            read, runs = self._listings.get(experiment_id, (-math.inf, {}))
            if now - read >= _LISTING_SECONDS:
                runs = list_runs(self._provider, ctx, experiment_id)
                self._listings[experiment_id] = now, runs
            return runs

    def _state(self, ctx: Any, experiment_id: str, run: str) -> Hashable:
        runs = self._list(ctx, experiment_id)
        if run not in runs:
            known = ", ".join(repr(name) for name in runs) or "none"
            raise UnknownName(
                f"There is no run {run!r} with data of Gradient Health; known: {known}."
            )
        return runs[run]

    def _reader(self, ctx: Any, experiment_id: str, run: str, state: Hashable) -> RunReader:
        def make() -> RunReader:
            return RunReader(self._provider, ctx, experiment_id, run)

        with self._lock:
            return self._readers.get((experiment_id, run), state, make)

    def _diagnosis(self, ctx: Any, experiment_id: str, run: str, state: Hashable) -> Diagnosis:
        def make() -> Diagnosis:
            try:
                return self._examine(self._reader(ctx, experiment_id, run, state))
            except UnreadableRun as error:
                self._complain_once(run, str(error))
                return Diagnosis(run, reason=str(error))

        with self._lock:
            return self._diagnoses.get((experiment_id, run), state, make)

    def _examine(self, reader: RunReader) -> Diagnosis:
        info = reader.info()
        origin: Literal["live", "replay"] = "live"
        stored = reader.findings()
        if stored is None:
            origin = "replay"
            stored = self._replay(info, reader.records())
        findings, states = stored
        return Diagnosis(
            run=reader.run,
            last_step=reader.last_step,
            kept=reader.kept,
            written=reader.written,
            findings=tuple(findings),
            states=tuple(states),
            origin=origin,
        )

    def _replay(
        self, info: RunInfo, records: Sequence[Record], limits: Limits | None = None
    ) -> tuple[list[Finding], list[RuleState]]:
        try:
            return self._judge(info, records, limits=limits)
        except Exception as error:
            # A rule that trips over a strange log must not cost the other runs.
            raise UnreadableRun(f"The rules failed on this run: {error!r}") from error

    def _complain_once(self, run: str, reason: str) -> None:
        if (run, reason) not in self._complaints:
            self._complaints.add((run, reason))
            _logger.warning("Gradient Health cannot show run %r: %s", run, reason)


class _Latest(Generic[T]):
    """The values last asked for, each made anew when the state that it was made from changes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: collections.OrderedDict[Hashable, tuple[Hashable, T]] = (
            collections.OrderedDict()
        )

    def get(self, key: Hashable, state: Hashable, make: Callable[[], T]) -> T:
        item = self._items.pop(key, None)
        if item is None or item[0] != state:
            item = state, make()
        self._items[key] = item
        while len(self._items) > self._size:
            self._items.popitem(last=False)
        return item[1]
