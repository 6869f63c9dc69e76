"""Limits that came over the wire, and replaying a run with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tensorboard_gradhealth.backend.judging import Limits, parse_limits
from tensorboard_gradhealth.backend.loader import _rule_sheets
from tensorboard_gradhealth.backend.runs import Runs
from tensorboard_gradhealth.rules import RULES, Engine
from tensorboard_gradhealth.storage.reader import open_log_dir
from tensorboard_gradhealth.types import Finding, Record, RuleState, RunInfo
from tests.logs import finding, write_run


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "not accepted"),
        ({"dead_units": 1}, "not accepted"),
        ({"dead_units": {"warning": "0.5"}}, "dead_units.warning is '0.5'; give a finite number"),
        ({"dead_units": {"warning": True}}, "finite number"),
        ({"dead_units": {"warning": float("nan")}}, "finite number"),
    ],
)
def test_limits_of_another_shape_are_refused(data: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_limits(data)


def test_every_rule_is_described_with_its_limits() -> None:
    sheets = {sheet.rule: sheet for sheet in _rule_sheets()}
    assert list(sheets) == [rule.name for rule in RULES]
    assert sheets["dead_units"].summary.startswith("Most units")
    assert sheets["dead_units"].limits["warning"] > 0


def test_other_limits_change_the_findings_and_not_the_diagnosis(tmp_path: Path) -> None:
    class Judge:
        """Finds something only with other limits, once it was fed with all records."""

        def __init__(self, info: RunInfo, *, limits: Limits | None = None) -> None:
            self._limits = limits
            self._steps: list[int] = []

        @property
        def findings(self) -> list[Finding]:
            return [finding()] if self._limits and self._steps == list(range(20)) else []

        def states(self) -> list[RuleState]:
            return []

        def feed(self, record: Record) -> None:
            self._steps.append(record.step)

    write_run(tmp_path, range(20))
    runs = Runs(open_log_dir(tmp_path), Judge)
    before = runs.diagnosis(None, "", ".")
    verdict = runs.replay(None, "", ".", {"dead_units": {"warning": 0.1}})
    assert [item.rule for item in verdict.findings] == ["dead_units"]
    assert runs.diagnosis(None, "", ".") == before


def test_an_unknown_rule_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, range(2))
    runs = Runs(open_log_dir(tmp_path), Engine)
    with pytest.raises(ValueError, match="nope"):
        runs.replay(None, "", ".", {"nope": {"warning": 1.0}})
