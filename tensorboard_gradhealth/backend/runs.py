"""The runs of a log directory, diagnosed; each is read and judged on only when it has grown."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, Literal

from tensorboard.util import tb_logging

from tensorboard_gradhealth.backend.judging import Judge, Limits, Verdict
from tensorboard_gradhealth.storage.local import LocalProvider
from tensorboard_gradhealth.storage.memory import Memory
from tensorboard_gradhealth.storage.reader import RunReader, UnknownName, UnreadableRun, list_runs
from tensorboard_gradhealth.types import Finding, RuleState

_logger = tb_logging.get_logger()

_LISTING_SECONDS = 1.0
"""A page asks for a dozen things at once, each of which needs the list of runs, and a listing takes
tens of milliseconds; TensorBoard itself looks for news every few seconds."""

_LISTINGS_KEPT = 100
"""Anybody can make up experiments: their names are a part of the URL."""

_FINDING_BYTES = 5_000
"""Of one finding in memory, about."""


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
      state: A short text that changes whenever the run has got something new.
    """

    run: str
    last_step: int = -1
    kept: int = 0
    written: int = 0
    findings: tuple[Finding, ...] = ()
    states: tuple[RuleState, ...] = ()
    origin: Literal["live", "replay"] = "live"
    reason: str = ""
    state: str = ""


class Runs:
    """Hands out readers and diagnoses; safe for use by the threads of a server."""

    def __init__(
        self,
        provider: Any,
        judge: Judge,
        clock: Callable[[], float] = time.monotonic,
        *,
        memory: Memory | None = None,
        local: LocalProvider | None = None,
    ) -> None:
        """Starts with nothing read.

        Args:
          provider: TensorBoard's data provider.
          judge: The rules, for runs that were not judged live.
          clock: Seconds, by which the list of runs grows old.
          memory: Keeps what was read and found.
          local: Where to read the runs that are on this machine, if not through the provider.
        """
        self._provider = provider
        self._judge = judge
        self._clock = clock
        self._memory = Memory() if memory is None else memory
        self._local = local
        self._lock = threading.Lock()
        self._listings: dict[str, tuple[float, dict[str, Hashable]]] = {}
        self._complaints: set[tuple[str, str]] = set()

    def states(self, ctx: Any, experiment_id: str) -> dict[str, Hashable]:
        """Returns by run, in alphabetical order, a value that changes whenever the run grew."""
        with self._lock:
            now = self._clock()
            read, runs = self._listings.get(experiment_id, (-math.inf, {}))
            if now - read >= _LISTING_SECONDS:
                runs = list_runs(self._provider, ctx, experiment_id)
                if self._local is not None:
                    runs = {run: self._local.state(run) or listed for run, listed in runs.items()}
                self._listings[experiment_id] = now, runs
            while len(self._listings) > _LISTINGS_KEPT:
                del self._listings[next(iter(self._listings))]
            return runs

    def state(self, ctx: Any, experiment_id: str, run: str) -> Hashable:
        """Returns that value of one run; raises `UnknownName` if there is no such run."""
        runs = self.states(ctx, experiment_id)
        if run not in runs:
            known = ", ".join(repr(name) for name in runs) or "none"
            raise UnknownName(
                f"There is no run {run!r} with data of Gradient Health; known: {known}."
            )
        return runs[run]

    def diagnoses(self, ctx: Any, experiment_id: str) -> list[Diagnosis]:
        """Returns the diagnoses of all runs."""
        return [self.diagnosis(ctx, experiment_id, run) for run in self.states(ctx, experiment_id)]

    def diagnosis(self, ctx: Any, experiment_id: str, run: str) -> Diagnosis:
        """Returns the diagnosis of one run; raises `UnknownName` if there is no such run."""
        state = self.state(ctx, experiment_id, run)

        def examine(_: Diagnosis | None) -> Diagnosis:
            try:
                reader = self.reader(ctx, experiment_id, run)
                return self._examine(reader, (experiment_id, run), state)
            except UnreadableRun as error:
                self._complain_once(run, str(error))
                return Diagnosis(run, reason=str(error), state=_token(state))

        return self._memory.get(("diagnosis", experiment_id, run), state, examine, _size)

    def reader(self, ctx: Any, experiment_id: str, run: str) -> RunReader:
        """Returns a reader of one run.

        Raises:
          UnknownName: There is no such run.
          UnreadableRun: It cannot be read.
        """

        def open_run(_: RunReader | None) -> RunReader:
            local = self._local is not None and self._local.state(run) is not None
            provider = self._local if local else self._provider
            return RunReader(provider, ctx, experiment_id, run, self._memory)

        state = self.state(ctx, experiment_id, run)
        return self._memory.get(("reader", experiment_id, run), state, open_run, RunReader.size)

    def replay(self, ctx: Any, experiment_id: str, run: str, limits: Limits) -> Verdict:
        """Judges one run again with other limits; what was found live stays what it is.

        Raises:
          UnknownName: There is no such run.
          UnreadableRun: It cannot be read, or the rules fail on it.
          ValueError: `limits` names a rule or a limit that there is not.
        """
        reader = self.reader(ctx, experiment_id, run)
        return Verdict.of(reader, self._judge(reader.info(), limits=limits))

    def _examine(self, reader: RunReader, key: tuple[str, str], state: Hashable) -> Diagnosis:
        stored = reader.findings()
        verdict = None if stored else self._verdict(reader, key, state)
        findings, states = (verdict.findings, verdict.states) if verdict else stored or ((), ())
        return Diagnosis(
            run=reader.run,
            last_step=reader.last_step,
            kept=reader.kept,
            written=reader.written,
            findings=tuple(findings),
            states=tuple(states),
            origin="replay" if verdict else "live",
            state=_token(state),
        )

    def _verdict(self, reader: RunReader, key: tuple[str, str], state: Hashable) -> Verdict:
        """Judges a run on from where it was left, or anew."""

        def judge(before: Verdict | None) -> Verdict:
            on = before.continued(reader) if before else None
            return on or Verdict.of(reader, self._judge(reader.info()))

        return self._memory.get(("verdict", *key), state, judge, Verdict.size)

    def _complain_once(self, run: str, reason: str) -> None:
        if (run, reason) not in self._complaints:
            self._complaints.add((run, reason))
            _logger.warning("Gradient Health cannot show run %r: %s", run, reason)


def _token(state: Hashable) -> str:
    """Returns a short text for a state, the same after a restart of the server."""
    return hashlib.blake2s(repr(state).encode(), digest_size=8).hexdigest()


def _size(diagnosis: Diagnosis) -> int:
    return _FINDING_BYTES * (1 + len(diagnosis.findings))
