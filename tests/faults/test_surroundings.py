"""Disk, directory, clock and terminal fail in the middle of a training, which must not care."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tensorboard_gradhealth.storage import writer
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import RunInfo, SignalSpec
from tests.faults.training import (
    FAULT_AT,
    STEPS,
    Outcome,
    callback,
    close_output,
    event_file,
    point_elsewhere,
    train,
    train_by_hand,
)
from tests.logs import read_run, record

pytestmark = pytest.mark.slow

Property = Callable[[str, object], None]

WINDOW = 10


Training = Callable[..., Outcome]
"""Trains with a log in a directory, or without one; injects a fault on the way."""


def fit(
    log_dir: Path | None = None, inject: Callable[[], object] = lambda: None, **options: Any
) -> Outcome:
    return train(None if log_dir is None else callback(log_dir, **options), inject)


@pytest.fixture(scope="module", params=[fit, train_by_hand], ids=["fit", "loop"])
def training(request: pytest.FixtureRequest) -> Training:
    way: Training = request.param
    return way


@pytest.fixture(scope="module")
def undisturbed(training: Training) -> Outcome:
    return training()


@pytest.fixture
def restored() -> Iterator[None]:
    """Gives back what the faults of this file take away."""
    limits, output = resource.getrlimit(resource.RLIMIT_FSIZE), sys.stdout
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sys.stdout = output


def disk_full(log_dir: Path) -> None:
    point_elsewhere(event_file(log_dir), "/dev/full", os.O_WRONLY)


def made_read_only(log_dir: Path) -> None:
    point_elsewhere(event_file(log_dir), "/dev/null", os.O_RDONLY)


def quota(log_dir: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (event_file(log_dir).stat().st_size + 100, hard))


def removed(log_dir: Path) -> None:
    shutil.rmtree(log_dir)


def second_writer(log_dir: Path) -> None:
    other = RunWriter(log_dir)
    other.write_record(record(0))


LOSES_THE_LOG = {
    disk_full: "No space left on device",
    made_read_only: "Bad file descriptor",
    quota: "File too large",
    removed: "has removed the event file",
    second_writer: "a newer training of this process writes to it",
}


@pytest.mark.parametrize("fault", LOSES_THE_LOG, ids=lambda fault: fault.__name__)
def test_training_finishes_unchanged_and_one_report_says_what_was_lost(
    fault: Callable[[Path], None],
    training: Training,
    undisturbed: Outcome,
    restored: None,
    tmp_path: Path,
    record_property: Property,
) -> None:
    log_dir = tmp_path / "log"
    outcome = training(log_dir, lambda: fault(log_dir))
    assert outcome.weights == undisturbed.weights
    [report] = outcome.reports
    assert LOSES_THE_LOG[fault] in report and str(log_dir) in report
    assert "Training goes on" in report
    kept = {finding.id for finding in outcome.after}
    assert kept and {finding.id for finding in outcome.before} <= kept
    if fault not in (removed, second_writer):
        assert read_run(log_dir).last_step >= FAULT_AT - 1 - WINDOW
    record_property("faults injected", 1)


def lock_removed(log_dir: Path) -> None:
    (log_dir / ".gradhealth.lock").unlink()


def permissions_taken(log_dir: Path) -> None:
    log_dir.chmod(0o500)
    event_file(log_dir).chmod(0o400)


def renamed(log_dir: Path) -> None:
    """Moves the log while it is being written, and leaves a link in its place."""
    log_dir.rename(log_dir.with_name("moved"))
    log_dir.symlink_to(log_dir.with_name("moved"))


@pytest.mark.parametrize(
    "fault", [lock_removed, permissions_taken, renamed], ids=lambda fault: fault.__name__
)
def test_what_need_not_be_lost_is_not(
    fault: Callable[[Path], None],
    training: Training,
    undisturbed: Outcome,
    tmp_path: Path,
    record_property: Property,
) -> None:
    log_dir = tmp_path / "log"
    outcome = training(log_dir, lambda: fault(log_dir))
    assert outcome.weights == undisturbed.weights
    assert outcome.reports == []
    assert read_run(log_dir).last_step == STEPS - 1
    log_dir.chmod(0o700)
    record_property("faults injected", 1)


def test_a_terminal_that_goes_away_costs_the_words_not_the_training(
    training: Training,
    undisturbed: Outcome,
    restored: None,
    tmp_path: Path,
    record_property: Property,
) -> None:
    outcome = training(tmp_path, close_output, verbose=1)
    assert outcome.weights == undisturbed.weights
    assert len(outcome.reports) == 1 and "the reader has gone" in outcome.reports[0]
    assert {f.id for f in outcome.before} <= {f.id for f in outcome.after}
    assert read_run(tmp_path).last_step >= FAULT_AT - 1 - WINDOW
    record_property("faults injected", 1)


@pytest.mark.parametrize("hours", [1, 24 * 365])
def test_a_clock_that_is_set_back_does_not_show(
    hours: int,
    training: Training,
    undisturbed: Outcome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Property,
) -> None:
    now = time.time

    def set_back() -> None:
        monkeypatch.setattr(writer.time, "time", lambda: now() - 3600 * hours)

    outcome = training(tmp_path, set_back)
    assert outcome.weights == undisturbed.weights and not outcome.reports
    series = read_run(tmp_path).series("loss")
    assert series.steps[-1] == STEPS - 1
    assert (series.first_steps[1:] == series.steps[:-1] + 1).all()
    record_property("faults injected", 1)


def test_a_run_that_is_resumed_by_an_earlier_clock_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Property
) -> None:
    first = RunWriter(tmp_path)
    for step in range(20):
        first.write_record(record(step, step + 1))
    first.close()
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(writer.time, "time", lambda: now() - 3600)
    monkeypatch.setattr(writer.time, "time_ns", lambda: now_ns() - 3600 * 10**9)
    second = RunWriter(tmp_path)
    for step in range(10, 30):
        second.write_record(record(step, step + 1, value=0.5))
    second.close()
    files = sorted(tmp_path.glob("*tfevents*"))
    assert [file.stat().st_size > 0 for file in files] == [True, True]
    assert files[1] == Path(second._path)  # TensorBoard reads them in the order of their names
    spec = {"loss": SignalSpec("loss", "Loss", "", "run")}
    third = RunWriter(tmp_path)
    third.write_info(RunInfo(signals=spec), 29)
    third.close()
    series = read_run(tmp_path).series("loss")
    assert series.steps.tolist() == list(range(30))
    assert series.values[:, 0, 0].tolist() == [*range(10), *(step + 0.5 for step in range(10, 30))]
    record_property("faults injected", 1)
