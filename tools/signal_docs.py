"""Writes docs/signals.md from what the signals say of themselves.

`python tools/signal_docs.py` writes the page; with `--check` it only says whether it is stale, and
then exits with status 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tensorboard_gradhealth.signals import all_signals  # noqa: E402
from tensorboard_gradhealth.signals._base import Signal  # noqa: E402

PAGE = ROOT / "docs" / "signals.md"

_HEAD = """<!-- Written by tools/signal_docs.py from the signals; do not edit. -->

# Signals

What is measured, one file each in `tensorboard_gradhealth/signals/`. *Measured* says how often
once the first 51 steps, all of which are measured in full, are over. `preset` names the cheapest
preset that includes the signal.

| signal | of each | unit | usual | measured | preset | |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """Returns the text of the page."""
    return _HEAD + "".join(_row(signal) for signal in all_signals())


def _row(signal: Signal) -> str:
    spec = signal.spec
    cells = [
        f"`{spec.name}`",
        spec.axis,
        spec.unit or "-",
        _band(spec.healthy),
        _cadence(signal),
        signal.cost,
        spec.description,
    ]
    return "| " + " | ".join(cells) + " |\n"


def _band(healthy: tuple[float | None, float | None] | None) -> str:
    low, high = healthy or (None, None)
    if low is None and high is None:
        return "-"
    if low is None:
        return f"up to {high:g}"
    return f"from {low:g}" if high is None else f"{low:g} to {high:g}"


_BESIDE_STEPS = {
    "start": "once, before the first step",
    "feature": "10 steps, then 1 in 100",
    "class": "10 steps, then 1 in 100",
    "epoch": "at the end of an epoch",
    "trial": "1 step in 100, in long runs 500",
    "halves": "1 step in 100, in long runs 500",
    "curvature": "for 5 % of the time",
}


def _cadence(signal: Signal) -> str:
    usual = "every step" if signal.cadence == "step" else "1 step in 10, in long runs 50"
    return _BESIDE_STEPS.get(signal.phase, usual)


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    if arguments not in ([], ["--check"]):
        print(f"unknown arguments {arguments}; accepted is --check", file=sys.stderr)
        return 2
    if not arguments:
        PAGE.write_text(page(), "utf-8")
    elif not PAGE.is_file() or PAGE.read_text("utf-8") != page():
        print("stale: docs/signals.md; run python tools/signal_docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
