"""Reads the findings of a run back from its log."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from tensorboard_gradhealth.rules import replay
from tensorboard_gradhealth.storage.reader import (
    RunReader,
    UnreadableRun,
    list_runs,
    open_log_dir,
)
from tensorboard_gradhealth.types import Finding, RuleState


def diagnose(log_dir: str | os.PathLike[str], run: str | None = None) -> list[Finding]:
    """Returns the findings of a run, each root cause followed by its consequences.

    What was found during training is the authority. A log without it (signals written one by
    one, or judging switched off) is judged now, and its findings have the origin `replay`.

    Args:
      log_dir: Directory with event files, or with directories of runs.
      run: Which of them, as TensorBoard names it; may be left out where there is only one.

    Raises:
      FileNotFoundError: There is no such directory.
      ValueError: It holds no such run, none at all, or several and `run` does not say which.
      UnreadableRun: The run's log is damaged or of a later version.
    """
    reader = open_run(log_dir, run)
    with naming(log_dir, reader.run):
        return judge(reader)[0]


def open_run(log_dir: str | os.PathLike[str], run: str | None = None) -> RunReader:
    """Opens a run for reading. Arguments and errors are those of `diagnose`."""
    provider = open_log_dir(log_dir)
    runs = list(list_runs(provider, None, ""))
    path = os.fspath(log_dir)
    if not runs:
        raise ValueError(f"{path!r} holds no run of Gradient Health.")
    if run is None and len(runs) > 1:
        raise ValueError(f"{path!r} holds several runs; name one of: {', '.join(runs)}.")
    name = runs[0] if run is None else run
    if name not in runs:
        raise ValueError(f"{path!r} holds no run {name!r}; there is: {', '.join(runs)}.")
    with naming(log_dir, name):
        return RunReader(provider, None, "", name)


@contextlib.contextmanager
def naming(log_dir: str | os.PathLike[str], run: str) -> Iterator[None]:
    """Says of which run of which directory something cannot be read."""
    try:
        yield
    except UnreadableRun as error:
        raise UnreadableRun(f"Run {run!r} of {os.fspath(log_dir)!r}: {error}") from error


def judge(reader: RunReader) -> tuple[list[Finding], list[RuleState]]:
    """Returns the findings and rule states stored in the log, or else replays the rules on it."""
    return reader.findings() or replay(reader.info(), reader.records())
