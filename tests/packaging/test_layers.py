"""The parts of the package depend on each other as CONTRIBUTING.md says, and it names them all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tensorboard_gradhealth"
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")

FORBIDDEN = {
    "signals": {"rules", "storage", "training", "backend"},
    "rules": {"signals", "storage", "training", "backend", "tensorflow"},
    "storage": {"tensorflow"},
    "backend": {"signals", "rules", "tensorflow"},
    "report": {"signals", "rules", "tensorflow"},
    "training": {"rules"},
}
EXCEPT = {
    "backend/loader.py": {"rules"},
    "training/session.py": {"rules"},
    "training/arguments.py": {"rules"},
}


def imported(path: Path) -> Iterator[str]:
    """Yields the parts of the package that a file imports, and the top of every other module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            top, _, rest = name.partition(".")
            yield rest.partition(".")[0] if top == PACKAGE.name else top


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    for path in (PACKAGE / part).rglob("*.py"):
        allowed = EXCEPT.get(path.relative_to(PACKAGE).as_posix(), set())
        assert set(imported(path)) & FORBIDDEN[part] <= allowed, path


def test_the_layout_names_every_part_of_the_package() -> None:
    parts = [p for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    names = {p.name if p.suffix else f"{p.name}/" for p in parts} - {"__init__.py"}
    assert {name for name in names if f"`{name}`" not in GUIDE} == set()
