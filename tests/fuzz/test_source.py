"""What the sources must not hold, so that neither a log nor a visitor can make us run or write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tensorboard_gradhealth.backend import plugin

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tensorboard_gradhealth"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if not path.name.endswith("_pb2.py"))
FRONTEND = sorted(
    path for kind in ("ts", "tsx") for path in (ROOT / "frontend" / "src").rglob(f"*.{kind}")
)

MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "joblib",
    "yaml",
    "ctypes",
    "subprocess",
    "socketserver",
    "http",
    "requests",
    "urllib",
}
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "spawnl", "loads_pickle"}
WRITING = {"write_text", "write_bytes", "mkdir", "makedirs", "unlink", "rmtree", "rename", "remove"}

READERS = sorted(PACKAGE.joinpath("backend").glob("*.py")) + [
    PACKAGE / "storage" / name
    for name in ("reader.py", "local.py", "event_log.py", "files.py", "tags.py", "points.py")
]
"""What runs in TensorBoard's server."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yields the calls in a file with the last part of the name of what is called."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield function.attr, node
            elif isinstance(function, ast.Name):
                yield function.id, node


def imported(path: Path) -> Iterator[str]:
    """Yields the top modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_unpickles_evaluates_or_starts_anything(path: Path) -> None:
    assert not MODULES & set(imported(path))
    for name, call in calls(path):
        regular_expression = name == "compile" and ast.unparse(call.func) == "re.compile"
        assert name not in CALLS or regular_expression, ast.unparse(call)
        keywords = {keyword.arg for keyword in call.keywords}
        assert "allow_pickle" not in keywords and "shell" not in keywords, ast.unparse(call)


@pytest.mark.parametrize("path", READERS, ids=name_of)
def test_what_runs_in_the_server_opens_files_for_reading_alone(path: Path) -> None:
    for name, call in calls(path):
        assert name not in WRITING or ast.unparse(call.func).startswith("self."), ast.unparse(call)
        if name in ("open", "GFile"):
            modes = [ast.unparse(argument) for argument in call.args[1:]]
            assert modes in ([], ["'rb'"], ["'r'"]), ast.unparse(call)


def test_no_route_looks_at_anything_but_the_address() -> None:
    source = Path(plugin.__file__).read_text()
    used = set(re.findall(r"\brequest\.(\w+)", source))
    assert used <= {"args", "path", "environ", "query_string", "headers"}


@pytest.mark.parametrize("path", FRONTEND, ids=name_of)
def test_the_frontend_shows_names_as_text(path: Path) -> None:
    markup = (
        r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|"
        r"\beval\(|new Function|srcdoc|createContextualFragment|DOMParser"
    )
    assert not re.search(markup, path.read_text())
