"""Runs are judged once per change, and a bad one costs nobody else."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tensorboard_gradhealth.backend.judging import Limits
from tensorboard_gradhealth.backend.runs import Runs
from tensorboard_gradhealth.rules import Engine, replay
from tensorboard_gradhealth.storage.local import LocalProvider
from tensorboard_gradhealth.storage.reader import (
    RunReader,
    UnknownName,
    UnreadableRun,
    open_log_dir,
)
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Finding, Record, RuleState, RunInfo
from tests.logs import finding, info, read_run, record, write_run


class LiveProvider:
    """Reads the files again at every call, as if TensorBoard had just reloaded them."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self.reads = 0

    def list_tensors(self, ctx: Any, **arguments: Any) -> Any:
        return open_log_dir(self._log_dir).list_tensors(ctx, **arguments)

    def read_tensors(self, ctx: Any, **arguments: Any) -> Any:
        self.reads += 1
        return open_log_dir(self._log_dir).read_tensors(ctx, **arguments)


class CountingJudge:
    """Finds one thing in every run, and notes the steps that each judging was fed with."""

    def __init__(self) -> None:
        self.fed: list[list[int]] = []

    def __call__(self, info: RunInfo, *, limits: Limits | None = None) -> CountingJudge:
        self.fed.append([])
        return self

    @property
    def findings(self) -> list[Finding]:
        return [finding(origin="replay")]

    def states(self) -> list[RuleState]:
        return [RuleState("dead_units", "GH401", "firing")]

    def feed(self, record: Record) -> None:
        self.fed[-1].append(record.step)


class FailingJudge(CountingJudge):
    """Trips over runs that begin at step 7."""

    def feed(self, record: Record) -> None:
        if record.step == 7:
            raise ZeroDivisionError("in a rule")


def test_a_run_is_read_and_judged_again_only_after_it_grew(tmp_path: Path) -> None:
    write_run(tmp_path, range(5))
    provider, judge = LiveProvider(tmp_path), CountingJudge()
    runs = Runs(provider, judge, clock=itertools.count(step=10).__next__)
    [first] = runs.diagnoses(None, "")
    reads = provider.reads
    assert runs.diagnoses(None, "") == [first]
    assert runs.diagnosis(None, "", ".") == first
    runs.reader(None, "", ".").series("loss")
    assert (judge.fed, provider.reads) == ([[0, 1, 2, 3, 4]], reads)

    write_run(tmp_path, range(5, 8))
    assert runs.diagnosis(None, "", ".").last_step == 7
    assert judge.fed == [[0, 1, 2, 3, 4, 5, 6, 7]]


def test_a_run_that_went_back_to_a_checkpoint_is_judged_anew(tmp_path: Path) -> None:
    write_run(tmp_path, range(5))
    judge = CountingJudge()
    runs = Runs(LiveProvider(tmp_path), judge, clock=itertools.count(step=10).__next__)
    runs.diagnoses(None, "")
    write_run(tmp_path, range(3, 6))
    assert runs.diagnosis(None, "", ".").last_step == 5
    assert judge.fed == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]]


def test_a_record_that_was_seen_in_part_is_judged_anew(tmp_path: Path) -> None:
    """Signals that are written one by one, or at the end of an epoch, come after their record."""
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    whole = record(0, 1)
    writer.write_record(dataclasses.replace(whole, signals={"loss": whole.signals["loss"]}))
    writer.flush()
    judge = CountingJudge()
    runs = Runs(LiveProvider(tmp_path), judge, clock=itertools.count(step=10).__next__)
    [before] = runs.diagnoses(None, "")
    late = {"gradient_norm": whole.signals["gradient_norm"]}
    writer.add_signals(dataclasses.replace(whole, signals=late))
    writer.close()
    [after] = runs.diagnoses(None, "")
    assert judge.fed == [[0], [0]]
    assert after.state != before.state
    assert after == dataclasses.replace(before, state=after.state), "nothing else tells the news"


def test_findings_of_a_growing_run_are_those_of_the_whole(tmp_path: Path) -> None:
    """The rules of this package, fed as the log grows, against the same rules afterwards."""
    for steps in (range(30), range(30, 60)):
        writer = RunWriter(tmp_path)
        writer.write_info(info(), steps[0])
        for step in steps:
            writer.write_record(record(step, step + 1, value=math.nan if step > 40 else 0.0))
        writer.close()
        if steps[0] == 0:
            judge = functools.partial(Engine, origin="replay")
            clock = itertools.count(step=10).__next__
            runs = Runs(LiveProvider(tmp_path), judge, clock=clock)
            runs.diagnoses(None, "")
    reader = read_run(tmp_path)
    findings, states = replay(reader.info(), reader.records())
    diagnosis = runs.diagnosis(None, "", ".")
    assert findings
    assert repr((diagnosis.findings, diagnosis.states)) == repr((tuple(findings), tuple(states)))


def test_a_run_that_failed_half_way_is_judged_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, range(2))
    judge = CountingJudge()
    runs = Runs(LiveProvider(tmp_path), judge, clock=itertools.count(step=10).__next__)
    runs.diagnoses(None, "")
    write_run(tmp_path, range(2, 6))

    def broken_off(reader: RunReader, start: int) -> Iterator[Record]:
        yield from itertools.islice(read_from(reader, start), 2)
        raise UnreadableRun("The disk is gone.")

    with monkeypatch.context() as patch:
        read_from = RunReader.records_from
        patch.setattr(RunReader, "records_from", broken_off)
        assert runs.diagnosis(None, "", ".").reason == "The disk is gone."
    write_run(tmp_path, [6])
    assert runs.diagnosis(None, "", ".").last_step == 6
    assert judge.fed == [[0, 1, 2, 3], list(range(7))]


def test_runs_on_this_machine_are_read_from_their_files(tmp_path: Path) -> None:
    write_run(tmp_path / "here", range(5))
    write_run(tmp_path / "elsewhere" / "there", range(3))
    listed = LiveProvider(tmp_path)
    runs = Runs(
        listed,
        CountingJudge(),
        clock=itertools.count(step=10).__next__,
        local=LocalProvider(tmp_path),
    )
    assert runs.diagnosis(None, "", "here").kept == 5
    write_run(tmp_path / "here", range(5, 8))
    assert runs.diagnosis(None, "", "here").kept == 8
    assert len(runs.reader(None, "", "here").series("loss").steps) == 8
    assert listed.reads == 0


def test_a_run_that_is_not_on_this_machine_is_read_through_the_provider(tmp_path: Path) -> None:
    write_run(tmp_path / "there", range(3))
    listed = LiveProvider(tmp_path)
    runs = Runs(listed, CountingJudge(), local=LocalProvider(tmp_path / "nowhere"))
    assert runs.diagnosis(None, "", "there").kept == 3
    assert listed.reads > 0


def test_many_threads_read_and_judge_once(tmp_path: Path) -> None:
    write_run(tmp_path, range(50))
    judge = CountingJudge()
    runs = Runs(open_log_dir(tmp_path), judge)
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: runs.diagnosis(None, "", "."), range(100)))
    assert found == [found[0]] * 100
    assert judge.fed == [list(range(50))]


def test_a_page_that_asks_for_a_dozen_things_lists_the_runs_once(tmp_path: Path) -> None:
    write_run(tmp_path, range(5))
    now = [0.0]
    runs = Runs(LiveProvider(tmp_path), CountingJudge(), clock=lambda: now[0])
    assert runs.diagnosis(None, "", ".").last_step == 4
    write_run(tmp_path, range(5, 8))
    assert runs.diagnosis(None, "", ".").last_step == 4
    now[0] = 1.0
    assert runs.diagnosis(None, "", ".").last_step == 7


def test_findings_of_the_training_are_the_authority(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_record(record(0))
    writer.write_findings([finding("live_one")], [], 0)
    writer.close()
    judge = CountingJudge()
    diagnosis = Runs(open_log_dir(tmp_path), judge).diagnosis(None, "", ".")
    assert [item.id for item in diagnosis.findings] == ["live_one"]
    assert diagnosis.origin == "live"
    assert judge.fed == []


def test_run_without_findings_is_judged_afterwards(tmp_path: Path) -> None:
    write_run(tmp_path, range(5))
    diagnosis = Runs(open_log_dir(tmp_path), CountingJudge()).diagnosis(None, "", ".")
    assert diagnosis.origin == "replay"
    assert [item.origin for item in diagnosis.findings] == ["replay"]


def test_unknown_run_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    write_run(tmp_path / "a", range(2))
    runs = Runs(open_log_dir(tmp_path), CountingJudge())
    with pytest.raises(UnknownName, match="'b'.*'a'"):
        runs.diagnosis(None, "", "b")
    with pytest.raises(UnknownName, match="'b'.*'a'"):
        runs.reader(None, "", "b")


def test_broken_run_is_reported_once_and_costs_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_run(tmp_path / "good", range(5))
    runs = Runs(LiveProvider(tmp_path), FailingJudge(), clock=itertools.count(step=10).__next__)
    for _ in range(3):
        write_run(tmp_path / "bad", [7])
        bad, good = runs.diagnoses(None, "")
    assert good.reason == ""
    assert "rules failed" in bad.reason
    assert "in a rule" in bad.reason
    assert len([item for item in caplog.records if "'bad'" in item.getMessage()]) == 1
