"""The page of the signals, from what they say of themselves."""

from __future__ import annotations

from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import Signal

_HEAD = """<!-- Written by tools/docs from the signals; do not edit. -->

# Signals

What is measured, one file each in `tensorboard_gradhealth/signals/`. *Measured* says how often
once the first 51 steps, all of which are measured in full, are over. `preset` names the cheapest
preset that includes the signal.

| signal | of each | unit | usual | measured | preset | |
|---|---|---|---|---|---|---|
"""


def pages() -> dict[str, str]:
    """Returns the text of the page by its path below docs/."""
    return {"signals.md": _HEAD + "".join(_row(signal) for signal in all_signals())}


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
    "feature": "1 step in 10, in long runs 50",
    "epoch": "at the end of an epoch",
    "trial": "1 step in 100, in long runs 500",
    "halves": "1 step in 100, in long runs 500",
    "curvature": "for 5 % of the time",
}


def _cadence(signal: Signal) -> str:
    usual = "every step" if signal.cadence == "step" else "1 step in 10, in long runs 50"
    return _BESIDE_STEPS.get(signal.phase, usual)
