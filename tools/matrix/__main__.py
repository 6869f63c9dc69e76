"""Tries the package on every Python, and beside old and new versions of what it works with.

`python -m tools.matrix` prints what came of each combination, writes docs/versions.md and exits
with status 1 if one failed. The interpreters are those that the environment variable PYTHONS
names, commands or paths apart by spaces; otherwise python3.10 to python3.13, where they are. With
arguments, only combinations whose numbers are given are run, and the page stays as it is.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.matrix.combinations import COMBINATIONS, PYTHONS, REFUSALS, Combination
from tools.matrix.environments import build_wheel, interpreters
from tools.matrix.report import PAGE, page
from tools.matrix.trying import Outcome, attempt, refused


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    numbered = {str(number): item for number, item in enumerate(COMBINATIONS)}
    if unknown := [number for number in arguments if number not in numbered]:
        print(f"unknown {unknown}; accepted are 0 to {len(numbered) - 1}", file=sys.stderr)
        return 2
    chosen = [numbered[number] for number in arguments or numbered]
    named = os.environ.get("PYTHONS", "").split() or [f"python{version}" for version in PYTHONS]
    there = interpreters(named)
    print(f"interpreters: {', '.join(map(str, there.values()))}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        outcomes = _outcomes([item for item in chosen if item.python in there], there, wheel)
        refusals = {
            case: refused(case, there[case.python], wheel)
            for case in (() if arguments else REFUSALS)
            if case.python in there
        }
    text = page(outcomes, refusals, tuple(there))
    print(text)
    if not arguments:
        PAGE.write_text(text, "utf-8")
    failed = any(outcome.failures for outcome in outcomes.values()) or any(refusals.values())
    return 1 if failed or not outcomes else 0


def _outcomes(
    combinations: Sequence[Combination], there: Mapping[str, Path], wheel: Path
) -> dict[Combination, Outcome]:
    outcomes = {}
    for combination in combinations:
        outcome = attempt(combination, there[combination.python], wheel)
        outcomes[combination] = outcome
        _tell(combination, outcome)
    return outcomes


def _tell(combination: Combination, outcome: Outcome) -> None:
    tried = outcome.versions or combination._asdict()
    print(f"{combination.python}: {tried}, {outcome.checks} checks", flush=True)
    for name, text in outcome.failures.items():
        print(f"  FAILED {name}: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
