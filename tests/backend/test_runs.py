"""Runs are judged once per change, and a bad one costs nobody else."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tensorboard_gradhealth.backend.judging import Limits
from tensorboard_gradhealth.backend.runs import Runs
from tensorboard_gradhealth.storage.reader import UnknownName, open_log_dir
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Finding, Record, RuleState, RunInfo
from tests.logs import finding, record, write_run


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
    """Finds one thing in every run, and counts how often it was asked."""

    def __init__(self) -> None:
        self.records: list[int] = []

    def __call__(
        self, info: RunInfo, records: Sequence[Record], *, limits: Limits | None = None
    ) -> tuple[list[Finding], list[RuleState]]:
        self.records.append(len(records))
        return [finding(origin="replay")], [RuleState("dead_units", "GH401", "firing")]


def test_a_run_is_read_and_judged_again_only_after_it_grew(tmp_path: Path) -> None:
    write_run(tmp_path, range(5))
    provider, judge = LiveProvider(tmp_path), CountingJudge()
    runs = Runs(provider, judge, clock=itertools.count(step=10).__next__)
    [first] = runs.diagnoses(None, "")
    reads = provider.reads
    assert runs.diagnoses(None, "") == [first]
    assert runs.diagnosis(None, "", ".") == first
    runs.reader(None, "", ".").series("loss")
    assert (judge.records, provider.reads) == ([5], reads)

    write_run(tmp_path, range(5, 8))
    assert runs.diagnosis(None, "", ".").last_step == 7
    assert judge.records == [5, 8]


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
    assert judge.records == []


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
    def judge(info: RunInfo, records: Sequence[Record], *, limits: Limits | None = None) -> Any:
        if len(records) == 1:
            raise ZeroDivisionError("in a rule")
        return [], []

    write_run(tmp_path / "good", range(5))
    runs = Runs(LiveProvider(tmp_path), judge)
    for _ in range(3):
        write_run(tmp_path / "bad", [0])
        bad, good = runs.diagnoses(None, "")
    assert good.reason == ""
    assert "rules failed" in bad.reason
    assert "in a rule" in bad.reason
    assert len([item for item in caplog.records if "'bad'" in item.getMessage()]) == 1
