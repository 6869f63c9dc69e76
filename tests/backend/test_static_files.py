"""Which files are served, and which are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorboard_gradhealth.backend import static_files


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder, without a bundle at first."""
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setattr(static_files.resources, "files", lambda name: tmp_path)
    return tmp_path


def add(package: Path, name: str) -> None:
    (package / "static").mkdir(exist_ok=True)
    (package / "static" / name).write_text(name)


def test_bundle_is_served(package: Path) -> None:
    add(package, "index.js")
    assert static_files.load("index.js") == (b"index.js", "text/javascript")


@pytest.mark.parametrize("exists", [False, True])
def test_missing_bundle_says_how_to_build_it(package: Path, exists: bool) -> None:
    if exists:
        (package / "static").mkdir()
    found = static_files.load("index.js")
    assert found is not None
    assert b"export function render()" in found[0]
    assert b"make frontend" in found[0]


@pytest.mark.parametrize(
    "name", ["../secret.js", "..", ".", "", "/etc/passwd", "folder", "a/../index.js", "notes.exe"]
)
def test_nothing_else_is_served(package: Path, name: str) -> None:
    add(package, "index.js")
    add(package, "notes.exe")
    (package / "static" / "folder").mkdir()
    assert static_files.load(name) is None
