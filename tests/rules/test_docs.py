"""The pages of the rules are what their docstrings say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import rule_docs


def test_the_pages_are_fresh() -> None:
    assert rule_docs.stale(rule_docs.FOLDER, rule_docs.pages()) == []


def test_missing_changed_and_superfluous_pages_are_found_and_repaired(tmp_path: Path) -> None:
    expected = {"a.md": "a", "b.md": "b"}
    (tmp_path / "b.md").write_text("old")
    (tmp_path / "gone.md").write_text("gone")
    assert rule_docs.stale(tmp_path, expected) == ["a.md", "b.md", "gone.md"]
    rule_docs.write(tmp_path, expected)
    assert rule_docs.stale(tmp_path, expected) == []


def test_the_check_exits_with_its_verdict() -> None:
    program = [sys.executable, rule_docs.__file__]
    assert subprocess.run([*program, "--check"], check=False).returncode == 0
    refused = subprocess.run([*program, "--what"], check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "accepted is --check" in refused.stderr
