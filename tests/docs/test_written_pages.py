"""The pages that are made from the sources are what the sources say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.docs.files import stale, write

PROGRAM = [sys.executable, "-m", "tools.docs"]
ROOT = Path(__file__).parents[2]


def test_the_pages_are_fresh() -> None:
    assert subprocess.run([*PROGRAM, "--check"], cwd=ROOT, check=False).returncode == 0


def test_missing_changed_and_superfluous_pages_are_found_and_repaired(tmp_path: Path) -> None:
    expected = {"a.md": "a", "rules/b.md": "b"}
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "b.md").write_text("old")
    (tmp_path / "rules" / "gone.md").write_text("gone")
    (tmp_path / "by_hand.md").write_text("not ours")
    assert stale(tmp_path, expected) == ["a.md", "rules/b.md", "rules/gone.md"]
    write(tmp_path, expected)
    assert stale(tmp_path, expected) == []
    assert (tmp_path / "by_hand.md").read_text() == "not ours"


def test_arguments_that_are_not_known_are_refused() -> None:
    command = [*PROGRAM, "--what"]
    refused = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "--check" in refused.stderr
