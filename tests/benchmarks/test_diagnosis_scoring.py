"""What counts as found, named and placed, and what as a false alarm."""

from __future__ import annotations

from pathlib import Path

from benchmarks.diagnosis import table
from benchmarks.diagnosis.judging import OURS, Judged, Said
from benchmarks.diagnosis.scoring import score, soon

DEAD = Said("dead_units", ("dead_units",), "error", 12, "hidden1", "all dead")
INFO = Said("loss_plateau", ("loss_plateau",), "info", 30)
WARNING = Said("loss_spike", ("loss_spike",), "warning", 40)


def sick(*said: Said, name: str = "dead_relu") -> Judged:
    return Judged(
        "fault", name, "mlp/classes", 0, Path("x"), {"loss": [2.0, 2.0]}, False, {OURS: said}
    )


def healthy(*said: Said) -> Judged:
    return Judged("healthy", "plain_mlp", "mlp/classes", 0, Path("y"), {}, True, {OURS: said})


def test_the_first_serious_finding_must_be_the_root_cause() -> None:
    assert score([sick(INFO, DEAD, WARNING)], OURS).named == 1
    late = score([sick(WARNING, DEAD)], OURS)
    assert (late.found, late.named, late.steps) == (1, 0, 12)


def test_information_alone_finds_nothing_and_alarms_nobody() -> None:
    of = score([sick(INFO), healthy(INFO)], OURS)
    assert (of.found, of.errors, of.warnings) == (0, 0, 0)


def test_a_fault_with_a_place_must_be_found_there() -> None:
    elsewhere = Said("dead_units", ("dead_units",), "error", 12, "head")
    assert score([sick(DEAD), sick(elsewhere)], OURS).placed == 0.5
    assert score([sick(WARNING, name="corrupt_batch")], OURS).placed is None


def test_healthy_runs_are_counted_by_their_worst_finding() -> None:
    of = score([healthy(WARNING), healthy(DEAD, WARNING), healthy(), healthy()], OURS)
    assert (of.errors, of.warnings) == (0.25, 0.5)


def test_a_fault_is_named_soon_after_it_began() -> None:
    rate = Said(
        "learning_rate_too_high", ("learning_rate_too_high", "learning_rate_too_low"), "error", 60
    )
    runs = [
        sick(DEAD),
        sick(WARNING),
        sick(rate, name="rate_jumps"),
        sick(rate, name="sgd_rate_low"),
    ]
    by_kind = soon(runs, OURS)
    assert by_kind["weights and activations"] == (1, 2, ["dead_relu"])
    assert by_kind["learning rate"] == (1, 2, ["sgd_rate_low"])


def test_mistakes_are_listed_below_the_rule_that_made_them() -> None:
    runs = [sick(DEAD), sick(WARNING), healthy(WARNING), healthy()]
    spoke, silent = table.mistakes(runs)
    assert spoke.startswith("# dead_units: 1\n\nWRONG, expected dead_units or poor_initialization")
    assert "loss: 2 2" in spoke
    assert silent.startswith("# loss_spike: 1\n\nFALSE ALARM: plain_mlp on mlp/classes, seed 0")


def test_the_table_has_a_row_for_each_tool() -> None:
    rows = table.tools([sick(DEAD), healthy()]).splitlines()
    assert rows[2] == f"| {OURS} | 100.0 % | 100.0 % | 100.0 % | 12 | 0.0 % | 0.0 % |"
