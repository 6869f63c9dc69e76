"""Interpreters, and virtual environments that last as long as they are used."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".matrix"
"""The installer and its cache, and the environments. Git ignores it."""

SECONDS = 3600


class InstallError(Exception):
    """An installer's own words, shortened."""


def interpreters(names: Sequence[str]) -> dict[str, Path]:
    """Returns the interpreters that there are, by version, such as `"3.12"`.

    Args:
      names: Commands or paths. Those of pyenv are found even where it does not offer them.
    """
    found: dict[str, Path] = {}
    for name in names:
        for command in (name, *map(str, _of_pyenv(name))):
            version = _version(command)
            if version:
                found.setdefault(version, Path(shutil.which(command) or command))
    return found


def build_wheel(folder: Path) -> Path:
    """Builds the package as it would be released, into a folder that is empty."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


@contextlib.contextmanager
def environment(interpreter: Path, *installs: Sequence[str]) -> Iterator[Path]:
    """Makes a virtual environment, yields its interpreter and deletes it.

    Args:
      interpreter: Whose environment it is.
      installs: Arguments of one installation each.

    Raises:
      InstallError: The installer refused.
    """
    FOLDER.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="environment_", dir=FOLDER))
    python = folder / "bin" / "python"
    try:
        run(_installer(), "venv", "--quiet", "--python", interpreter, folder)
        for arguments in installs:
            run(_installer(), "pip", "install", "--quiet", "--python", python, *arguments)
        yield python
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Returns what a command prints.

    Raises:
      InstallError: It failed.
    """
    cache = {"UV_CACHE_DIR": str(FOLDER / "cache"), "UV_PYTHON_DOWNLOADS": "never"}
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd=cwd,
        env={**os.environ, **cache},
    )
    if result.returncode:
        raise InstallError(" ".join((result.stderr or result.stdout).split())[-400:])
    return result.stdout


def _installer() -> Path:
    """uv: it links what it unpacked before, so that the fifth TensorFlow costs no more time."""
    folder = FOLDER / "installer"
    if not (folder / "bin" / "uv").is_file():
        run(sys.executable, "-m", "venv", folder)
        run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "uv>=0.9")
    return folder / "bin" / "uv"


def _of_pyenv(name: str) -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    wanted = name.removeprefix("python")
    return sorted(root.glob(f"versions/{wanted}.*/bin/python{wanted}")) if wanted else []


def _version(command: str) -> str:
    """Returns major and minor version; "" if the command is none or does not run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return run(command, "-c", code).strip()
    except (InstallError, OSError):
        return ""
