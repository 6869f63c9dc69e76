"""Every block of code in the documentation does what the page says."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.docs import pages

ROOT = pages.ROOT
TUTORIALS = ("fit", "custom_loop", "distributed", "pytorch_jax_numpy", "reading_a_finding",
             "writing_a_rule", "writing_a_signal")  # fmt: skip
RUN_HERE = {"gradhealth": (0, 1), "python": (0,), "pytest": (0,)}
"""Programs whose commands are run, with the exit statuses that are right."""

RUN_ELSEWHERE = {"tensorboard", ".../bin/server"}
"""TensorBoard and its data server, started by the tests that need them; they do not end."""


@pytest.mark.parametrize("page", pages.PAGES)
def test_python_is_valid_and_json_is_json(page: str) -> None:
    ast.parse(pages.program(page))
    for block in pages.blocks(page, "py"):
        ast.parse(block.text)
    for block in pages.blocks(page, "json"):
        json.loads(block.text)


@pytest.mark.parametrize("page", pages.PAGES)
def test_commands_of_make_and_pip_exist(page: str) -> None:
    targets = {line.split(":")[0] for line in (ROOT / "Makefile").read_text("utf-8").splitlines()}
    for command in _commands(page):
        match command:
            case ["make", *names]:
                assert {name for name in names if "=" not in name} <= targets, command
            case ["pip", "install", *what]:
                assert what in (["."], ["tensorboard-gradhealth"]), command
            case [program, *_]:
                assert program in {*RUN_HERE, *RUN_ELSEWHERE}, command


def test_there_is_a_tutorial_for_each_task() -> None:
    found = {Path(page).stem for page in pages.PAGES if page.startswith("docs/tutorials/")}
    assert found == set(TUTORIALS)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages.PAGES)
def test_code_runs_and_prints_what_the_page_says(page: str, tmp_path: Path) -> None:
    pages.lay_out(page, tmp_path)
    commands = [command for command in _commands(page) if command[0] in RUN_HERE]
    if commands or pages.program(page).strip():
        lines = pages.run(page, tmp_path).splitlines()
        assert [line for line in pages.printed(page) if line not in lines] == []
    for command in commands:
        pages.execute(command, tmp_path, RUN_HERE[command[0]])


def _commands(page: str) -> list[list[str]]:
    text = "".join(block.text for block in pages.blocks(page, "bash"))
    firsts = (re.split(r" [|>]", line)[0] for line in text.splitlines())  # of a pipeline
    lines = [shlex.split(line, comments=True) for line in firsts]
    return [line for line in lines if line]
