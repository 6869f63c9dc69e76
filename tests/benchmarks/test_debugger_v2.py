"""The comparison with Debugger V2 ends, and says so, where a training under it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks import debugger_v2

TIMES = {"plain": 0.02, "debugger": 0.05}


def _printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *endless: str
) -> list[str]:
    def process(network: str, arm: str, limit: float) -> float:
        if network in endless and arm == "debugger":
            raise subprocess.TimeoutExpired("python", limit)
        return TIMES[arm]

    monkeypatch.setattr(debugger_v2, "_process", process)
    monkeypatch.setattr(
        sys, "argv", ["debugger_v2", "--networks", "MLP", "Transformer", "--limit", "5"]
    )
    debugger_v2.main()
    return capsys.readouterr().out.splitlines()[2:]


def test_the_ratio_is_that_of_the_shortest_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _printed(monkeypatch, capsys) == ["| MLP | 2.50 |", "| Transformer | 2.50 |"]


def test_a_training_that_does_not_end_in_time_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _printed(monkeypatch, capsys, "Transformer") == [
        "| MLP | 2.50 |",
        "| Transformer | did not end within 5 s |",
    ]
