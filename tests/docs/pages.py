"""The code in a page of documentation, and how it is run: as a reader would, top to bottom.

Blocks of Python are one program, with its line numbers those of the page. Where a line is
`print(...)  # text`, that text must be what it prints. A block that begins with the comment
`# <path>` of a file in the package is not run but written to that file, in a copy of the sources.
Blocks for a shell are run after them, in the same folder. Examples with prompts, which come from
docstrings, each start from the prelude. Blocks of `py` are for programs that have PyTorch, which
the tests do not install: they must parse.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = Path(__file__).with_name("prelude.py")

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/tutorials/*.md"))
    if re.search(r"^```(python|pycon|bash|json)", path.read_text("utf-8"), re.MULTILINE)
)

SECONDS = 240


class Block(NamedTuple):
    """A fenced block: its language, its text and the line of the page where the text begins."""

    language: str
    text: str
    line: int


def blocks(page: str, *languages: str) -> list[Block]:
    """Returns the blocks of a page in some languages."""
    text = (ROOT / page).read_text("utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    parts = [Block(m[1], m[2], 1 + text.count("\n", 0, m.start(2))) for m in found]
    return [part for part in parts if part.language in languages]


def home(block: Block) -> str:
    """Returns the path of the file that a block is the text of; "" if it is a program."""
    match = re.match(r"# (tensorboard_gradhealth/\S+\.py)\n", block.text)
    return match[1] if match else ""


def program(page: str) -> str:
    """Returns all Python of a page, each line where it is in the page."""
    lines = [""] * (ROOT / page).read_text("utf-8").count("\n")
    for block in blocks(page, "python", "pycon"):
        if home(block) or _is_signature(page, block):
            continue
        text = block.text
        if block.language == "pycon":
            text = _told(text)
            lines[block.line - 2] = "globals().update(START)"
        lines[block.line - 1 : block.line - 1 + text.count("\n")] = text.splitlines()
    return "\n".join(lines)


def printed(page: str) -> list[str]:
    """Returns what the page says that its Python prints."""
    return re.findall(r"^print\(.*\)  # (.*)$", program(page), re.MULTILINE)


def run(page: str, folder: Path) -> str:
    """Runs the Python of a page and returns what it printed."""
    script = folder / "page.py"
    begins = "" if "/tutorials/" in page else PRELUDE.read_text("utf-8")
    # A page begins with its title, so that the first line is free.
    script.write_text(f"exec({begins!r}){program(page)}", "utf-8")
    return execute([sys.executable, str(script)], folder)


def execute(command: list[str], folder: Path, accepted: tuple[int, ...] = (0,)) -> str:
    """Runs a command of a page, with the sources of `folder` if it has some, else with ours."""
    sources = folder if (folder / "tensorboard_gradhealth").is_dir() else ROOT
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "UPDATE_SNAPSHOTS": "1"}
    result = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, "PATH": programs, "PYTHONPATH": str(sources), **quiet},
    )
    assert result.returncode in accepted, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def lay_out(page: str, folder: Path) -> None:
    """Copies the sources to `folder` and adds the files of the page, if it has any."""
    files = [block for block in blocks(page, "python") if home(block)]
    if not files:
        return
    ignore = shutil.ignore_patterns("__pycache__", "static")
    for name in ("tensorboard_gradhealth", "tests", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    (folder / "docs").mkdir()
    for name in ("pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, folder)
    for block in files:
        (folder / home(block)).write_text(block.text.partition("\n")[2], "utf-8")


def _is_signature(page: str, block: Block) -> bool:
    return page == "docs/api.md" and block.language == "python"


def _told(text: str) -> str:
    """Returns the sources of examples with prompts, each where it is."""
    examples = doctest.DocTestParser().get_examples(text)
    lines = [""] * text.count("\n")
    for example in examples:
        source = example.source.splitlines()
        lines[example.lineno : example.lineno + len(source)] = source
    return "\n".join(lines) + "\n"
