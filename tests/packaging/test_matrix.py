"""The matrix of versions: what it asks for, and what its page says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.matrix import environments
from tools.matrix.combinations import COMBINATIONS, PYTHONS, REFUSALS, Combination
from tools.matrix.environments import InstallError, interpreters
from tools.matrix.report import page
from tools.matrix.trying import Outcome

HERE = "{}.{}".format(*sys.version_info[:2])
VERSIONS = {"tensorflow-cpu": "2.21.0", "tensorboard": "2.21.0", "numpy": "2.4.6"}


def test_each_python_is_tried_with_and_some_without_tensorflow() -> None:
    assert {item.python for item in COMBINATIONS if item.tensorflow is not None} == set(PYTHONS)
    assert {item.python for item in COMBINATIONS if item.tensorflow is None} >= {"3.10", "3.13"}


def test_an_old_tensorboard_gets_the_setuptools_that_it_needs() -> None:
    assert "setuptools<82" in Combination("3.10", None, tensorboard="2.17.0").requirements()
    assert Combination("3.13", None).requirements() == []


def test_interpreters_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    assert interpreters([sys.executable, "python9.9", str(tmp_path)]) == {
        HERE: Path(sys.executable)
    }


def test_interpreters_of_pyenv_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It puts a command on PATH that refuses to run unless the version was chosen."""
    program = tmp_path / "versions" / f"{HERE}.9" / "bin" / f"python{HERE}"
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setenv("PATH", "")
    assert interpreters([f"python{HERE}"]) == {HERE: program}


def test_a_failed_command_tells_its_own_words() -> None:
    with pytest.raises(InstallError, match="no such thing"):
        environments.run(sys.executable, "-c", "raise SystemExit('no such thing')")


def test_the_page_says_what_failed_and_what_was_not_run() -> None:
    outcomes = {
        Combination("3.12"): Outcome(VERSIONS, {}, 12),
        Combination("3.13"): Outcome(VERSIONS, {"server": "did not start"}, 12),
    }
    refusals = {REFUSALS[0]: "", REFUSALS[1]: "it works"}
    text = page(outcomes, refusals, ["3.12", "3.13"])
    assert "| 3.12 | 2.21.0 | none | 2.21.0 | 2.4.6 | none | 12 of 12 |" in text
    assert "**11 of 12**: server |" in text
    assert "| 3.10 | 2.17.0 | 3.4.0 | 2.17.0 | 1.26.0 | 4.25.0 | not run |" in text
    assert "Not run, no interpreter found: Python 3.10, 3.11." in text
    assert f"- `{REFUSALS[0].sentence}`\n" in text
    assert f"- `{REFUSALS[1].sentence}` **but**: it works\n" in text
