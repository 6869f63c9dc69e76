"""Every rule's own cases, what its messages look like, and what no rule may do."""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from tensorboard_gradhealth.rules import RULES, Case, Rule, replay
from tensorboard_gradhealth.rules._support import likely_first
from tensorboard_gradhealth.rules._wording import TITLE_LENGTH
from tensorboard_gradhealth.text import WIDTH, render_finding
from tensorboard_gradhealth.types import NOT_MEASURED, Cause, Finding, Record, Row, RuleState

SNAPSHOTS = Path(__file__).parent / "snapshots"
HEALTHY = [(rule, case) for rule in RULES for case in rule.healthy]
SICK = [(rule, case) for rule in RULES for case in rule.sick]


def _label(value: object) -> str:
    return value.name if isinstance(value, Rule) else getattr(value, "label", "")


def _judge(rule: Rule, case: Case) -> tuple[list[Finding], RuleState]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        findings, states = replay(case.info, case.records)
    (state,) = (state for state in states if state.rule == rule.name)
    return [finding for finding in findings if finding.rule == rule.name], state


@pytest.mark.parametrize("rule", RULES, ids=_label)
def test_a_rule_brings_healthy_and_sick_cases_and_its_references(rule: Rule) -> None:
    assert len(rule.healthy) >= 2
    assert rule.sick
    assert all(case.severity for case in rule.sick)
    assert rule.references


@pytest.mark.parametrize(("rule", "case"), HEALTHY, ids=_label)
def test_a_healthy_run_shows_nothing_above_info(rule: Rule, case: Case) -> None:
    findings, state = _judge(rule, case)
    assert [finding.title for finding in findings if finding.severity != "info"] == []
    assert "failed" not in state.reason


@pytest.mark.parametrize(("rule", "case"), SICK, ids=_label)
def test_a_sick_run_is_found_with_its_severity_layers_and_onset(rule: Rule, case: Case) -> None:
    findings, state = _judge(rule, case)
    assert state.state == "firing"
    assert [(f.severity, f.layers, f.first_step) for f in findings] == [
        (case.severity, case.layers, case.onset)
    ]


@pytest.mark.parametrize(("rule", "case"), SICK, ids=_label)
def test_a_message_is_complete(rule: Rule, case: Case) -> None:
    (finding,), _ = _judge(rule, case)
    assert len(finding.title) <= TITLE_LENGTH
    assert not finding.title.endswith(".")
    assert finding.evidence
    assert any(e.limit is not None or not np.isfinite(e.value) for e in finding.evidence)
    assert finding.causes
    assert all(cause.support for cause in finding.causes if cause.confidence == "likely")
    assert finding.fixes
    for fix in finding.fixes:
        assert fix.text.endswith(".")
        compile(fix.code, finding.rule, "exec")
    assert finding.harmless
    assert finding.check
    assert finding.url == f"docs/rules/{rule.name}.md"
    assert finding.references == rule.references


@pytest.mark.parametrize("rule", RULES, ids=_label)
def test_messages_are_as_recorded(rule: Rule) -> None:
    """With UPDATE_SNAPSHOTS=1 in the environment the recorded messages are replaced."""
    texts = [render_finding(_judge(rule, case)[0][0]) for case in rule.sick]
    text = "\n\n".join(texts) + "\n"
    path = SNAPSHOTS / f"{rule.name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("value", [NOT_MEASURED, np.nan], ids=["not measured", "nan"])
@pytest.mark.parametrize(("rule", "case"), SICK, ids=_label)
def test_what_is_no_number_is_no_sign_but_of_itself(rule: Rule, case: Case, value: float) -> None:
    measured = dataclasses.replace(case.info, facts={})  # what a model says of itself stands
    findings, states = replay(measured, _filled(case, value))
    assert [state for state in states if "failed" in state.reason] == []
    has_loss = "loss" in case.info.signals
    expected = ["nonfinite_values"] if has_loss and np.isnan(value) else []
    assert [finding.rule for finding in findings] == expected


@pytest.mark.parametrize("value", [np.inf, 0.0, 3e38], ids=str)
@pytest.mark.parametrize(("rule", "case"), SICK, ids=_label)
def test_no_rule_fails_on_extreme_values(rule: Rule, case: Case, value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, states = replay(case.info, _filled(case, value))
    assert [state for state in states if "failed" in state.reason] == []


def _filled(case: Case, value: float) -> list[Record]:
    """The records with one value everywhere, but for counts of elements, which are numbers."""
    return [
        dataclasses.replace(
            record,
            signals={
                name: np.full_like(values, 0 if name.endswith("nonfinite") else value)
                for name, values in record.signals.items()
            },
        )
        for record in case.records
    ]


@pytest.mark.parametrize(("rule", "case"), SICK, ids=_label)
def test_hostile_names_stay_within_a_title_and_cannot_steer_a_terminal(
    rule: Rule, case: Case
) -> None:
    # Metrics keep their names: rules look for those that Keras gives.
    users = {axis: rows for axis, rows in case.info.rows.items() if axis != "metric"}
    rows = {**case.info.rows, **{axis: tuple(map(_hostile, users[axis])) for axis in users}}
    facts = {name: _hostile_keys(fact) for name, fact in case.info.facts.items()}
    info = dataclasses.replace(case.info, rows=rows, facts=facts)
    (finding,), _ = _judge(rule, dataclasses.replace(case, info=info))
    assert len(finding.title) <= TITLE_LENGTH
    assert finding.title.count("`") in (0, 2)
    assert all(line.isprintable() for line in render_finding(finding).splitlines())


def _hostile(row: Row) -> Row:
    return dataclasses.replace(row, name=_hostile_name(row.name))


def _hostile_keys(fact: object) -> object:
    """Facts of single variables are given by their names."""
    return {_hostile_name(k): v for k, v in fact.items()} if isinstance(fact, dict) else fact


def _hostile_name(name: str) -> str:
    # The end stays, because it tells the kinds of kernels apart.
    return "\x1b[31m`{}%s\n" + "x" * 200 + name


def test_the_cause_that_is_left_when_others_are_ruled_out_is_likely() -> None:
    rate, scale = Cause("the rate"), Cause("the scale", "ruled out")
    assert [cause.confidence for cause in likely_first(scale, scale, rate)] == [
        "likely", "ruled out", "ruled out",
    ]  # fmt: skip
    assert likely_first(scale, rate) == (rate, scale), "one ruled out proves little"
    assert likely_first(rate, rate, scale) == (rate, rate, scale)
