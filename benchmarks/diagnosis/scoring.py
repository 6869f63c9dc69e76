"""Counts how often the tools are right."""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections.abc import Sequence

from benchmarks.diagnosis.faults import EARLY, Fault
from benchmarks.diagnosis.judging import Judged, Said

SOON = 50
"""Steps within which a fault that is there from the start is to be named."""


@dataclasses.dataclass(frozen=True)
class Score:
    """Of one tool over many runs; shares are None where there was no such run.

    Attributes:
      found: Share of the sick runs with a warning or an error.
      named: Share of the sick runs whose first finding is the root cause.
      placed: Share of the sick runs, of faults that have a place, that are named in that place.
      steps: Median of the steps until the root cause was said, over the runs in which it was.
      errors: Share of the healthy runs with an error.
      warnings: Share of the healthy runs with a warning or an error.
    """

    found: float | None
    named: float | None
    placed: float | None
    steps: float | None
    errors: float | None
    warnings: float | None


def alarms(said: Sequence[Said]) -> list[Said]:
    """Returns what was meant seriously."""
    return [one for one in said if one.severity != "info"]


def is_named(fault: Fault, said: Sequence[Said]) -> bool:
    """Whether the first thing said is the root cause."""
    serious = alarms(said)
    return bool(serious) and not set(fault.expected).isdisjoint(serious[0].means)


def is_placed(fault: Fault, said: Sequence[Said]) -> bool:
    """Whether the first thing said is the root cause and names the layer to blame."""
    return is_named(fault, said) and re.search(fault.layer, alarms(said)[0].layer) is not None


def step_named(fault: Fault, said: Sequence[Said]) -> int | None:
    """Returns the step at which the root cause was first said, None if it never was."""
    steps = [one.step for one in alarms(said) if not set(fault.expected).isdisjoint(one.means)]
    return min(steps, default=None)


def is_soon(fault: Fault, said: Sequence[Said]) -> bool:
    """Whether the root cause was said within `SOON` steps of the one at which it began."""
    step = step_named(fault, said)
    return step is not None and step <= fault.begins + SOON


def soon(runs: Sequence[Judged], tool: str) -> dict[str, tuple[int, int, list[str]]]:
    """Counts the runs that a tool names soon, by the kind of fault.

    Returns:
      For each kind in `EARLY`, how many are named soon, of how many, and the names of the faults
      of the others.
    """
    result = {}
    for kind, names in EARLY.items():
        of = [run for run in runs if run.kind == "fault" and run.name in names]
        late = [run.name for run in of if not is_soon(run.fault, run.said[tool])]
        result[kind] = len(of) - len(late), len(of), sorted(set(late))
    return result


def score(runs: Sequence[Judged], tool: str) -> Score:
    """Returns how right a tool is about these runs."""
    sick = [(run.fault, run.said[tool]) for run in runs if run.kind == "fault"]
    healthy = [run.said[tool] for run in runs if run.kind == "healthy"]
    steps = [step for fault, said in sick if (step := step_named(fault, said)) is not None]
    return Score(
        found=_share([bool(alarms(said)) for _, said in sick]),
        named=_share([is_named(fault, said) for fault, said in sick]),
        placed=_share([is_placed(fault, said) for fault, said in sick if fault.layer]),
        steps=statistics.median(steps) if steps else None,
        errors=_share([any(one.severity == "error" for one in said) for said in healthy]),
        warnings=_share([bool(alarms(said)) for said in healthy]),
    )


def _share(true: Sequence[bool]) -> float | None:
    return sum(true) / len(true) if true else None
