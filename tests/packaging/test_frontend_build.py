"""When the bundle is built, and with which Node.js."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "_build" / "frontend.py"


@pytest.fixture
def frontend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The build script, over a tree of its own: sources of time 100, and no Node.js."""
    spec = importlib.util.spec_from_file_location("frontend", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SOURCES", tmp_path / "frontend")
    monkeypatch.setattr(module, "MODULES", tmp_path / "frontend" / "node_modules")
    monkeypatch.setattr(module, "BUNDLE", tmp_path / "static" / "index.js")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(module.SKIP, raising=False)
    package = {"dependencies": {"esbuild": "1"}, "devDependencies": {"vitest": "1"}}
    write(module.SOURCES / "package.json", json.dumps(package), 100)
    write(module.SOURCES / "package-lock.json", "", 100)
    write(module.SOURCES / "src" / "index.ts", "", 100)
    os.utime(module.SOURCES / "src", (100, 100))
    return module


def write(path: Path, text: str, time: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time, time))


def add_node(tmp_path: Path, version: str) -> Path:
    """Puts a Node.js on PATH, and an npm that notes what it was called with."""
    calls = tmp_path / "calls"
    write(tmp_path / "bin" / "node", f"#!/bin/sh\necho {version}\n", 0)
    write(tmp_path / "bin" / "npm", f'#!/bin/sh\necho "$@" >> {calls}\n', 0)
    for name in ("node", "npm"):
        (tmp_path / "bin" / name).chmod(0o755)
    return calls


def test_missing_bundle_needs_node(frontend: ModuleType) -> None:
    assert frontend.requires() == [frontend.NODE_PACKAGE]


def test_missing_bundle_without_node_is_refused_with_what_to_do(frontend: ModuleType) -> None:
    with pytest.raises(SystemExit, match="Node.js 20 or newer.*pip install.*SKIP_FRONTEND=1"):
        frontend.build()


@pytest.mark.parametrize(
    ("version", "usable"),
    [("v20.0.0", True), ("v24.1.0", True), ("v18.20.1", False), ("nonsense", False)],
)
def test_only_a_recent_node_is_used(
    frontend: ModuleType, tmp_path: Path, version: str, usable: bool
) -> None:
    add_node(tmp_path, version)
    assert frontend.requires() == ([] if usable else [frontend.NODE_PACKAGE])


def test_build_installs_what_it_needs_and_no_more(frontend: ModuleType, tmp_path: Path) -> None:
    calls = add_node(tmp_path, "v20.0.0")
    frontend.build()
    install, build = calls.read_text().splitlines()
    assert install.startswith("ci --ignore-scripts")
    assert install.endswith("--omit=dev")
    assert build == "run build"


def test_check_installs_the_tools_too(frontend: ModuleType, tmp_path: Path) -> None:
    calls = add_node(tmp_path, "v20.0.0")
    frontend.check()
    install, check = calls.read_text().splitlines()
    assert "--omit=dev" not in install
    assert check == "run check"


def test_modules_that_are_there_are_not_installed_again(
    frontend: ModuleType, tmp_path: Path
) -> None:
    calls = add_node(tmp_path, "v20.0.0")
    (frontend.MODULES / "esbuild").mkdir(parents=True)
    write(frontend.MODULES / ".package-lock.json", "", 101)
    frontend.build()
    assert calls.read_text().splitlines() == ["run build"]


def test_current_bundle_is_left_alone(frontend: ModuleType) -> None:
    write(frontend.BUNDLE, "", 101)
    assert frontend.requires() == []
    frontend.build()


@pytest.mark.parametrize("name", ["src/index.ts", "src/new/deep.ts", "package-lock.json"])
def test_bundle_older_than_a_source_is_built_again(
    frontend: ModuleType, tmp_path: Path, name: str
) -> None:
    write(frontend.BUNDLE, "", 101)
    write(frontend.SOURCES / name, "", 102)
    calls = add_node(tmp_path, "v20.0.0")
    frontend.build()
    assert "run build" in calls.read_text()


def test_removed_source_makes_the_bundle_stale(frontend: ModuleType) -> None:
    write(frontend.BUNDLE, "", 101)
    (frontend.SOURCES / "src" / "index.ts").unlink()
    assert frontend.requires() == [frontend.NODE_PACKAGE]


def test_source_distribution_has_nothing_to_build(
    frontend: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontend, "SOURCES", tmp_path / "absent")
    assert frontend.requires() == []
    frontend.build()


def test_frontend_can_be_skipped(frontend: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(frontend.SKIP, "1")
    assert frontend.requires() == []
    frontend.build()
