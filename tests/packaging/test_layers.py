"""Who may import whom: measuring, judging and showing know nothing of each other."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tensorboard_gradhealth

PACKAGE = Path(tensorboard_gradhealth.__file__).parent

MAY = {
    "types.py": {"numpy"},
    "signals": {"types", "lazy", "numpy"},
    "rules": {"types", "numpy"},
    "storage": {"types", "requirements", "numpy", "tensorboard", "google"},
    "backend": {"types", "version", "storage", "numpy", "tensorboard", "werkzeug"},
    "report": {"types", "version", "storage", "backend.binning", "numpy"},
    "curvature": {"lazy", "numpy", "tensorflow", "keras"},
    "summary": {"types", "lazy", "naming", "signals", "storage", "numpy", "tensorboard"},
    "training": {
        *("types", "lazy", "naming", "text", "actions", "signals", "rules", "storage", "curvature"),
        *("numpy", "tensorflow", "keras"),
    },
}
"""By part of the package: other parts, or modules of them, and packages of others."""

WHEN_CALLED = {
    "types.py": {"text", "formats"},  # a finding reads as others write it
    "backend/loader.py": {"rules"},  # hands the rules to the rest, which knows a judge only
    "summary/_writing.py": {"training.device.state", "tensorflow"},
    "summary/curvature.py": {"curvature", "keras"},
}
"""What may be imported besides inside of functions, by file."""


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Yields what a source imports, by its place in this package, and if only when called.

    What is for type checkers alone is left out, as is the standard library.
    """
    tree = ast.parse(source)
    first = set(tree.body)
    ignored = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        late = node not in first
        if isinstance(node, ast.Import) and node not in ignored:
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node not in ignored:
            assert node.level == 0, "an import says the whole name"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            if module.split(".")[0] not in sys.stdlib_module_names:
                yield module.removeprefix("tensorboard_gradhealth."), late


def reaches(module: str, allowed: set[str]) -> bool:
    return any(f"{module}.".startswith(f"{name}.") for name in allowed)


def test_imports_are_seen_wherever_they_stand() -> None:
    source = """
import json, numpy as np
from tensorboard_gradhealth import text
from tensorboard_gradhealth.types import Row
if TYPE_CHECKING:
    import keras
def call():
    from tensorflow.python import ops
"""
    assert sorted(imports(source)) == [
        ("numpy", False),
        ("tensorflow.python.ops", True),
        ("text", False),
        ("types.Row", False),
    ]
    assert reaches("types.Row", {"types"}) and not reaches("typeset", {"types"})


def test_every_folder_has_its_place() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= set(MAY)


@pytest.mark.parametrize("part", MAY)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    files = sorted((PACKAGE / part).rglob("*.py")) or [PACKAGE / part]
    own = part.removesuffix(".py")
    strayed = []
    for file in files:
        name = file.relative_to(PACKAGE).as_posix()
        late_too = WHEN_CALLED.get(name, set())
        for module, late in imports(file.read_text("utf-8")):
            if not reaches(module, {own, *MAY[part], *(late_too if late else ())}):
                strayed.append(f"{name} imports {module}")
    assert strayed == []


def test_the_guide_names_every_part_of_the_package() -> None:
    guide = (PACKAGE.parent / "CONTRIBUTING.md").read_text("utf-8")
    parts = [p for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    names = {p.name if p.suffix else f"{p.name}/" for p in parts} - {"__init__.py"}
    assert {name for name in names if f"`{name}`" not in guide} == set()
