"""What is tried in an environment, and what came of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.tensorboard_process import TensorBoard, tensorboard
from tools.matrix.combinations import Combination, Refusal
from tools.matrix.environments import InstallError, environment

SMOKE = Path(__file__).with_name("smoke.py")
SECONDS = 1800


class Outcome(NamedTuple):
    """What came of a combination: installed versions by package, and failures by check."""

    versions: dict[str, str]
    failures: dict[str, str]
    checks: int


def attempt(combination: Combination, interpreter: Path, wheel: Path) -> Outcome:
    """Installs a combination, runs all checks in it and deletes it."""
    extra = "" if combination.tensorflow is None else "[cpu]"
    asked = (f"tensorboard-gradhealth{extra} @ {wheel.as_uri()}", *combination.requirements())
    try:
        with environment(interpreter, asked) as python, tempfile.TemporaryDirectory() as folder:
            return checked(python, Path(folder))
    except InstallError as error:
        return Outcome({}, {"install": str(error)}, 1)


def refused(case: Refusal, interpreter: Path, wheel: Path) -> str:
    """Returns "" if the sentence is the last thing that the program says, else what it says."""
    alone = ("--no-deps", *case.alone, str(wheel))
    try:
        with (
            environment(interpreter, case.requirements, alone) as python,
            tempfile.TemporaryDirectory() as folder,
        ):
            result = _run(python, "-c", case.program, cwd=Path(folder))
    except InstallError as error:
        return str(error)
    last = result.stderr.strip().rpartition("\n")[2]
    return "" if last == case.sentence else last or "it works"


def checked(python: Path, folder: Path) -> Outcome:
    """Runs all checks with an interpreter whose environment has the package, in a folder."""
    result = _run(python, shutil.copy(SMOKE, folder), "logs", cwd=folder)
    last = result.stdout.strip().rpartition("\n")[2]
    if result.returncode or not last.startswith("{"):
        return Outcome({}, {"smoke": result.stderr[-400:]}, 1)
    told = json.loads(last)
    checks = dict(told["checks"])
    for name, flags in {"server": (), "server_in_process": ("--load_fast=false",)}.items():
        checks[name] = _served(python, folder, *flags)
    checks["command_line"] = _command_line(python, folder)
    failures = {name: text for name, text in checks.items() if text}
    return Outcome(told["versions"], failures, len(checks))


def _served(python: Path, folder: Path, *flags: str) -> str:
    runs = sorted(path.name for path in (folder / "logs").iterdir())
    try:
        with tensorboard(folder / "logs", *flags, python=str(python), cwd=folder) as running:
            running.wait_for_runs(*runs)
            for run in runs:
                _ask(running, run)
            assert "render" in running.plugin("static/index.js").text
    except Exception as error:
        return f"{type(error).__name__}: {error}"[-1000:]
    return ""


def _ask(running: TensorBoard, run: str) -> None:
    """Every route about a run answers, and says what the log says."""
    answer = running.run(run)
    assert answer["verdict"] in ("warning", "error"), answer["verdict"]
    assert running.series(run, "loss").values.size
    assert running.plugin("rules").json["rules"]
    limits = json.dumps({"learning_rate_too_high": {"error": 1e9, "warning": 1e9}})
    assert running.plugin("replay", run=run, limits=limits).json["limits"] == json.loads(limits)


def _command_line(python: Path, folder: Path) -> str:
    result = _run(python.with_name("gradhealth"), "check", "logs", "--format", "json", cwd=folder)
    if result.returncode != 1:
        return f"status {result.returncode}: {result.stderr[-400:]}"
    return ""


def _run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
