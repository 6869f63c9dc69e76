"""The console's words: complete, within the width, harmless to the terminal."""

from __future__ import annotations

import json

from tensorboard_gradhealth.formats import Verdict, as_json
from tensorboard_gradhealth.text import WIDTH, render_finding, render_summary
from tensorboard_gradhealth.types import Cause, Evidence, Finding, Fix, RuleState

ROOT = Finding(
    id="learning_rate_too_high",
    rule="learning_rate_too_high",
    code="GH301",
    severity="error",
    title="`dense/kernel` changed by 310 % of its size in one step",
    first_step=0,
    last_step=190,
    open=True,
    layers=("dense/kernel",),
    evidence=(
        Evidence("change / size", 3.1, 1, "", "update_ratio", 0, "dense/kernel"),
        Evidence("loss", float("nan"), None, "", "loss", 1),
    ),
    causes=(Cause("the learning rate is too high", "likely", "learning_rate: 1"),),
    fixes=(Fix("Lower it.", "optimizer = Adam(0.001)\nmodel.compile(optimizer)"), Fix("Wait.")),
    harmless="The loss falls all the same.",
    check="The ratio stays under 0.1.",
    cause_of=("dead_units",),
    url="docs/rules/learning_rate_too_high.md",
)
EFFECT = Finding(
    id="dead_units",
    rule="dead_units",
    code="GH401",
    severity="warning",
    title="Most units of `dense` are dead",
    first_step=16,
    last_step=16,
    open=False,
    caused_by="learning_rate_too_high",
    origin="replay",
)
STATES = (
    RuleState("learning_rate_too_high", "GH301", "firing"),
    RuleState("dead_units", "GH401", "cleared"),
    RuleState("saturated_activations", "GH402", "not evaluated", "no bounded activation"),
)


def test_a_finding_that_is_printed_tells_itself() -> None:
    assert str(ROOT) == render_finding(ROOT)
    assert repr(ROOT).startswith("Finding(id=")


def test_a_finding_as_a_dictionary_is_what_the_command_writes() -> None:
    told = ROOT.to_dict()
    [run] = json.loads(as_json([Verdict("cnn", [ROOT])]))["runs"]
    assert run["findings"] == [told]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["evidence"][1]["value"] == "NaN"


def test_a_finding_is_told_whole() -> None:
    assert render_finding(ROOT, run="cnn") == (
        "ERROR GH301 learning_rate_too_high | run cnn | steps 0 to 190, still open\n"
        "  `dense/kernel` changed by 310 % of its size in one step\n"
        "  evidence  change / size: 3.1 (limit 1) in dense/kernel, step 0\n"
        "            loss: NaN, step 1\n"
        "  cause     likely: the learning rate is too high (learning_rate: 1)\n"
        "  fix       1. Lower it.\n"
        "               optimizer = Adam(0.001)\n"
        "               model.compile(optimizer)\n"
        "            2. Wait.\n"
        "  check     The ratio stays under 0.1.\n"
        "  harmless  The loss falls all the same.\n"
        "  leads to  dead_units\n"
        "  more      docs/rules/learning_rate_too_high.md"
    )


def test_a_bare_finding_has_no_empty_headings() -> None:
    assert render_finding(EFFECT) == (
        "WARNING GH401 dead_units | step 16, over | found afterwards\n"
        "  Most units of `dense` are dead\n"
        "  due to    learning_rate_too_high"
    )


def test_a_summary_tells_stories() -> None:
    assert render_summary([ROOT, EFFECT], STATES, run="cnn") == (
        "1 problem with 1 consequence in cnn:\n"
        "  ERROR GH301 `dense/kernel` changed by 310 % of its size in one step (step 0)\n"
        "      fix: Lower it.\n"
        "      leads to WARNING GH401 Most units of `dense` are dead (step 16, over)\n"
        "  Checked: learning_rate_too_high, dead_units.\n"
        "  Not evaluated: saturated_activations: no bounded activation."
    )


def test_a_consequence_whose_cause_is_not_shown_stands_alone() -> None:
    assert render_summary([EFFECT]).startswith("1 problem:\n  WARNING GH401")


def test_healthy_says_what_was_checked() -> None:
    assert render_summary([], [RuleState("dead_units", "GH401", "clean"), STATES[2]]) == (
        "Healthy: nothing was found.\n"
        "  Checked: dead_units.\n"
        "  Not evaluated: saturated_activations: no bounded activation."
    )


def test_nothing_checked_is_not_healthy() -> None:
    assert render_summary([], [STATES[2]]).startswith("Not judged.\n")


def test_a_summary_fits_a_screen() -> None:
    many = [_renamed(EFFECT, f"rule{i}") for i in range(60)]
    lines = render_summary(many, STATES).splitlines()
    assert len(lines) < 30
    assert "... and 41 more lines" in lines


def _renamed(finding: Finding, name: str) -> Finding:
    values = {slot: getattr(finding, slot) for slot in finding.__dataclass_fields__}
    return Finding(**{**values, "id": name, "rule": name, "caused_by": ""})


def test_names_cannot_steer_the_terminal_or_break_lines() -> None:
    hostile = _renamed(ROOT, "\x1b[2J\nrule\u202e")
    text = render_finding(hostile, run="\x07") + render_summary([hostile], run="\x1b")
    assert all(line.isprintable() for line in text.splitlines())
    assert "rule?" in text


def test_long_texts_are_wrapped() -> None:
    long = Finding(**{**_fields(ROOT), "harmless": "word " * 80, "check": "x" * 300})
    assert max(map(len, render_finding(long).splitlines())) <= WIDTH


def _fields(finding: Finding) -> dict[str, object]:
    return {slot: getattr(finding, slot) for slot in finding.__dataclass_fields__}
