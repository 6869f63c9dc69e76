"""The answers of the HTTP API, as docs/http_api.md describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tensorboard_gradhealth.backend import queries
from tensorboard_gradhealth.backend.runs import Diagnosis
from tensorboard_gradhealth.storage import codec
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import RuleState
from tests.logs import finding, flight, flown, info, read_run, record, write_run, write_values

CLEAN = (RuleState("dead_units", "GH401", "clean"),)
BLIND = (RuleState("dead_units", "GH401", "not evaluated", "Nothing was recorded."),)


def summary(**values: Any) -> Any:
    [answer] = queries.runs([Diagnosis("r", **values)])["runs"]
    return answer


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"states": CLEAN}, "healthy"),
        ({"states": BLIND}, "not measured"),
        ({"states": BLIND + CLEAN}, "healthy"),
        ({"states": ()}, "not measured"),
        ({"reason": "It is broken."}, "unreadable"),
        ({"states": CLEAN, "findings": (finding(severity="info"),)}, "info"),
        ({"states": CLEAN, "findings": (finding(open=False),)}, "warning"),
        (
            {"findings": (finding("a", severity="error"), finding("b", severity="info"))},
            "error",
        ),
    ],
)
def test_verdict_is_the_worst_that_was_found(values: dict[str, Any], verdict: str) -> None:
    assert summary(**values)["verdict"] == verdict


def test_headline_is_the_root_cause() -> None:
    consequence = finding("b", severity="error", caused_by="a", title="A consequence")
    root = finding("a", severity="info", title="The root cause")
    answer = summary(findings=(consequence, root))
    assert answer["headline"] == "The root cause"
    assert answer["counts"] == {"info": 1, "warning": 0, "error": 1}


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        pytest.param({"a": "", "b": "", "c": ""}, "abc", id="as given"),
        pytest.param({"a": "c", "b": "", "c": "b"}, "bca", id="chain"),
        pytest.param({"a": "c", "b": "", "c": ""}, "bca", id="consequence follows its cause"),
        pytest.param({"a": "x", "b": "", "c": "a"}, "acb", id="cause is missing"),
        pytest.param({"a": "a", "b": "a", "c": ""}, "abc", id="its own cause"),
        pytest.param({"a": "b", "b": "a", "c": ""}, "cab", id="circle"),
    ],
)
def test_consequences_follow_their_cause(causes: dict[str, str], expected: str) -> None:
    findings = [finding(name, caused_by=cause) for name, cause in causes.items()]
    assert "".join(item.id for item in queries.in_order(findings)) == expected


def test_gravest_root_cause_comes_first() -> None:
    findings = [
        finding("mild", severity="warning"),
        finding("root", severity="info"),
        finding("grave", severity="error", caused_by="root"),
    ]
    assert [item.id for item in queries.in_order(findings)] == ["root", "grave", "mild"]


def test_run_describes_its_signals_and_says_what_is_missing(tmp_path: Path) -> None:
    write_run(tmp_path, range(5))
    answer = queries.run(Diagnosis(".", 4, 5, 5, states=CLEAN), read_run(tmp_path))
    by_name = {item["name"]: item for item in answer["signals"]}
    assert by_name["gradient_norm"]["kept"] == 5
    assert by_name["gradient_norm"]["not_measured"] == ""
    assert by_name["gradient_norm"]["healthy"] == (1e-6, None)
    assert by_name["dead_fraction"]["kept"] == 0
    assert by_name["dead_fraction"]["not_measured"] == "The model has no activations."
    assert answer["rows"]["variable"][0]["name"] == "a/kernel"
    assert answer["facts"] == {"optimizer": "sgd"}
    assert answer["rules"][0]["state"] == "clean"
    assert answer["notes"] == []


def test_damaged_signal_does_not_cost_the_others(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.write_record(record(0, rows=5))
    writer.close()
    answer = queries.run(Diagnosis(".", 0, 1, 1), read_run(tmp_path))
    by_name = {item["name"]: item for item in answer["signals"]}
    assert by_name["gradient_norm"]["kept"] == 0
    assert "float32 [5, 3]" in by_name["gradient_norm"]["not_measured"]
    assert by_name["loss"]["kept"] == 1


def test_unreadable_run_is_answered_with_its_reason() -> None:
    answer = queries.run(Diagnosis("r", reason="It is broken."), None)
    assert answer["reason"] == "It is broken."
    assert (answer["signals"], answer["findings"], answer["rows"]) == ([], [], {})


def test_sampling_and_changed_layers_are_noted(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.write_record(record(0))
    writer.write_info(info(()), 7)
    writer.close()
    notes = queries.run(Diagnosis(".", 0, 100, 3000), read_run(tmp_path))["notes"]
    assert "Showing 100 of 3000" in notes[0]
    assert "--gradhealth_samples 0" in notes[0]
    assert "changed at step 7" in notes[1]


def test_run_lists_its_flights(tmp_path: Path) -> None:
    assert queries.run(Diagnosis("."), flown(tmp_path))["flights"] == [
        {
            "findings": ["dead_units", "loss_spike"],
            "first_step": 3,
            "last_step": 7,
            "signals": ["gradient_norm", "loss"],
        }
    ]


def test_damaged_flights_do_not_cost_the_run(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.write_record(record(0))
    damaged = codec.flight_values(flight("a"))
    damaged[0].tensor.tensor_content = b""
    writer.close()
    write_values(tmp_path, damaged)
    answer = queries.run(Diagnosis("."), read_run(tmp_path))
    assert (answer["flights"], answer["signals"][1]["kept"]) == ([], 1)


def test_answers_are_json_but_for_non_finite_numbers(tmp_path: Path) -> None:
    write_run(tmp_path, range(2))
    json.dumps(queries.run(Diagnosis(".", states=CLEAN), read_run(tmp_path)), allow_nan=False)
