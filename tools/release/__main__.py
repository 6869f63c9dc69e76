"""Checks what would be released: `python -m tools.release`, after `make frontend`.

Builds source distribution and wheel twice, with the Node.js of this machine and without any;
looks into them; installs each in a bare environment and tries it from outside the sources. Prints
one line for each check, and exits with status 1 if one failed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tools.matrix.environments import InstallError, environment, run
from tools.matrix.trying import checked
from tools.release import archives, notices

TYPED = """
import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.storage.plugin_data_pb2 import PluginData

rules: list[str] = [finding.rule for finding in gradhealth.diagnose("logs")]
version: int = PluginData(version=1).version
"""

Check = Callable[[], str | list[str]]


class Release:
    """Two builds of the same sources: `with_node` and `without_node`."""

    def __init__(self, folder: Path) -> None:
        """Builds them below a folder."""
        shell = folder / "programs"
        shell.mkdir()
        (shell / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
        self.folder = folder
        self.sources = archives.clean_copy(folder / "sources")
        self.with_node = self._built("with_node", os.environ["PATH"])
        self.without_node = self._built("without_node", str(shell))

    def checks(self) -> dict[str, Check]:
        """Returns the checks by what they make sure of; what they return is wrong."""
        both = {"wheel": self.with_node[1], "source distribution": self.with_node[0]}
        return {
            "the bundle is the same, whoever brings Node.js": self._same_bundle,
            "THIRD_PARTY_NOTICES is right": self._notices,
            "the long description renders": self._description,
            **{
                f"the {name} holds what it should and no more": partial(archives.complaints, file)
                for name, file in both.items()
            },
            **{
                f"the {name} works in a bare environment": partial(self._works, file)
                for name, file in both.items()
            },
            "its types are seen by those who use it": self._typed,
        }

    def _built(self, name: str, path: str) -> tuple[Path, Path]:
        sources, out = self.folder / f"sources_{name}", self.folder / name
        shutil.copytree(self.sources, sources)
        archives.build(sources, out, path)
        [sdist], [wheel] = out.glob("*.tar.gz"), out.glob("*.whl")
        return sdist, wheel

    def _same_bundle(self) -> str:
        files = (*self.with_node, *self.without_node)
        digests = {archives.digest(file, archives.BUNDLE) for file in files}
        return "" if len(digests) == 1 else f"{len(digests)} different bundles"

    def _notices(self) -> str:
        current = notices.FILE.read_text("utf-8") if notices.FILE.is_file() else ""
        return "" if current == notices.notices() else "run python -m tools.release.notices"

    def _description(self) -> str:
        with environment(Path(sys.executable), ["twine>=6"]) as python:
            run(python, "-m", "twine", "check", "--strict", *self.with_node)
        return ""

    def _works(self, file: Path) -> str:
        with environment(Path(sys.executable), [str(file)]) as python:
            folder = self.folder / f"outside_{file.suffix}"
            folder.mkdir()
            outcome = checked(python, folder)
        return "; ".join(f"{name}: {text}" for name, text in outcome.failures.items())

    def _typed(self) -> str:
        with environment(Path(sys.executable), [str(self.with_node[1])]) as python:
            program = self.folder / "typed.py"
            program.write_text(TYPED, "utf-8")
            options = (
                "--strict",
                "--python-executable",
                python,
                "--cache-dir",
                self.folder / "mypy",
            )
            run(sys.executable, "-m", "mypy", *options, program, cwd=self.folder)
        return ""


def main() -> int:
    """Returns the exit status."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        release = Release(Path(folder))
        for name, check in release.checks().items():
            try:
                wrong = check()
            except (InstallError, ValueError, OSError) as error:
                wrong = str(error)
            print(f"FAILED {name}: {wrong}" if wrong else f"ok     {name}", flush=True)
            failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
