"""Findings come back from a log: what was found live, else what the rules say now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorboard_gradhealth.diagnosis import diagnose
from tensorboard_gradhealth.rules import RULES, Engine
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Finding

SICK = {rule.name: rule.sick[0] for rule in RULES}["learning_rate_too_high"]


def _write(path: Path, *, live: bool) -> list[Finding]:
    engine = Engine(SICK.info)
    writer = RunWriter(path)
    writer.write_info(SICK.info, 0)
    for record in SICK.records:
        writer.write_record(record)
        if engine.feed(record) and live:
            writer.write_findings(engine.findings, engine.states(), record.step)
    writer.close()
    return engine.findings


def test_what_was_found_live_is_the_authority(tmp_path: Path) -> None:
    _write(tmp_path, live=True)
    (finding,) = diagnose(tmp_path)
    assert (finding.rule, finding.origin) == ("learning_rate_too_high", "live")


def test_a_log_without_findings_is_judged_now(tmp_path: Path) -> None:
    (live,) = _write(tmp_path, live=False)
    (finding,) = diagnose(tmp_path)
    assert finding.origin == "replay"
    assert (finding.id, finding.severity, finding.first_step, finding.evidence) == (
        live.id,
        live.severity,
        live.first_step,
        live.evidence,
    )


def test_a_run_is_chosen_by_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _write(tmp_path / name, live=True)
    assert len(diagnose(tmp_path, "two")) == 1
    with pytest.raises(ValueError, match="holds several runs; name one of: one, two"):
        diagnose(tmp_path)
    with pytest.raises(ValueError, match="holds no run 'three'; there is: one, two"):
        diagnose(tmp_path, "three")


def test_a_missing_directory_and_an_empty_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        diagnose(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no run of Gradient Health"):
        diagnose(tmp_path)
