"""Injects faults and fuzzes for as long as it takes, and prints how often: `make trust`.

The tests are those of `make test` below tests/faults, tests/fuzz and tests/numbers; there they try
a little, here in earnest. What each of them has done it tells by `record_property`.
"""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("tests/faults", "tests/fuzz", "tests/numbers")
COUNTS = ("faults injected", "requests fuzzed", "logs fuzzed")
VERSIONS = ROOT / "docs" / "versions.md"
"""What `make matrix` leaves: one row for each combination of versions."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs all of it; returns 0 if everything was survived."""
    parser = argparse.ArgumentParser(prog="python -m tools.trust", description=__doc__)
    parser.add_argument("folders", nargs="*", default=FOLDERS, help="tests to run instead of all")
    parser.add_argument("--soak", type=float, metavar="HOURS", help="train for so long instead")
    chosen = parser.parse_args(arguments)
    if chosen.soak:
        from tools.soak import soak

        print(soak(chosen.soak))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        started = time.monotonic()
        command = ["-m", "pytest", "-q", "-n", "2", "--timeout", "7200", f"--junitxml={report}"]
        status = subprocess.run(
            [sys.executable, *command, *chosen.folders],
            cwd=ROOT,
            env={**os.environ, "GRADHEALTH_TRUST": "1"},
            check=False,
        ).returncode
        tried, survived, tests = counts(report)
    print(f"\n{tests} tests in {(time.monotonic() - started) / 60:.0f} minutes")
    for name in COUNTS:
        print(f"{name}: {tried[name]:,}, survived: {survived[name]:,}")
    print(f"combinations of versions run by the last `make matrix`: {versions()}")
    return status


def counts(report: Path) -> tuple[dict[str, int], dict[str, int], int]:
    """Returns what the tests of a report tried by name, what of it they survived, and their number.

    A test that failed tells what it tried only if it came so far.
    """
    tried, survived = collections.Counter[str](), collections.Counter[str]()
    # It was written by the tests that ran just now.
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314
    for case in cases:
        failed = case.find("failure") is not None or case.find("error") is not None
        for item in case.iter("property"):
            name, number = str(item.get("name")), int(item.get("value", "0"))
            tried[name] += number
            survived[name] += 0 if failed else number
    return tried, survived, len(cases)


def versions() -> int:
    """Returns how many combinations of versions were run when that was last done."""
    lines = VERSIONS.read_text("utf-8").splitlines() if VERSIONS.exists() else []
    return sum(line.startswith("| 3.") and "not run" not in line for line in lines)


if __name__ == "__main__":
    sys.exit(main())
