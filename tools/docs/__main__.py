"""Writes docs/api.md, docs/signals.md and docs/rules/: `python -m tools.docs`.

With `--check` it only says which of the pages are stale, and then exits with status 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.docs import api, rules, signals
from tools.docs.files import stale, write

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    expected = {**api.pages(), **signals.pages(), **rules.pages()}
    if not parser.parse_args().check:
        write(DOCS, expected)
        return 0
    names = stale(DOCS, expected)
    if names:
        print(f"stale: {', '.join(names)}; run python -m tools.docs", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
