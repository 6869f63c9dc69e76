"""What each tool says of a recorded run, in one form."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.diagnosis.faults import FAULTS, Fault
from benchmarks.diagnosis.healthy import HEALTHY, Healthy
from benchmarks.diagnosis.published import PUBLISHED
from benchmarks.diagnosis.series import Series
from tensorboard_gradhealth.diagnosis import open_run
from tensorboard_gradhealth.rules import Engine
from tensorboard_gradhealth.types import Finding, Severity

OURS = "Gradient Health"

LEARNT = 0.8
"""Loss at the end, of the loss before the first step."""


@dataclasses.dataclass(frozen=True)
class Said:
    """One thing that a tool said of a run.

    Attributes:
      name: In the tool's own words.
      means: Names of our rules that it stands for.
      severity: `warning`, where the tool has no severities.
      step: At which it was said.
      layer: The first that it named, or "".
      text: More of it, for people.
    """

    name: str
    means: tuple[str, ...]
    severity: Severity
    step: int
    layer: str = ""
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Judged:
    """A run and what the tools said of it, most important first.

    Attributes:
      kind: `fault` or `healthy`.
      name: Of the fault or of the way to train.
      on: Body and task.
      seed: Of the run.
      path: Its directory.
      history: Keras' logs by name, one value per epoch.
      learnt: Whether it ended clearly better than without knowledge.
      said: By tool, what it said.
    """

    kind: str
    name: str
    on: str
    seed: int
    path: Path
    history: dict[str, list[float]]
    learnt: bool
    said: dict[str, tuple[Said, ...]]

    @property
    def fault(self) -> Fault:
        """The fault that was injected.

        Raises:
          KeyError: The run is a healthy one.
        """
        return {fault.name: fault for fault in FAULTS}[self.name]

    @property
    def healthy(self) -> Healthy:
        """The way to train.

        Raises:
          KeyError: The run is a sick one.
        """
        return {healthy.name: healthy for healthy in HEALTHY}[self.name]


def judge_all(log_dir: Path) -> Iterator[Judged]:
    """Judges every run below a directory, in the order of their paths."""
    for file in sorted(log_dir.rglob("run.json")):
        yield judge(file.parent)


def judge(directory: Path) -> Judged:
    """Judges one run by all tools.

    Raises:
      OSError: It lacks a file.
    """
    run: dict[str, Any] = json.loads((directory / "run.json").read_text())
    series = Series.load(directory / "series.npz")
    said = {OURS: tuple(_ours(directory))}
    for tool, rules in PUBLISHED.items():
        alarms = sorted(rules(series), key=lambda alarm: alarm.step)
        said[tool] = tuple(Said(a.name, a.means, "warning", a.step, a.layer) for a in alarms)
    fields = ("kind", "name", "on", "seed", "history")
    return Judged(
        path=directory,
        learnt=_learnt(series, run["history"]),
        said=said,
        **{field: run[field] for field in fields},
    )


def _learnt(series: Series, history: dict[str, list[float]]) -> bool:
    """Whether validation is better than an untrained network, and than the commonest class."""
    if not history["val_loss"][-1] < LEARNT * series.loss[0]:
        return False
    named = series.facts["task"] in ("classes", "binary") and "val_accuracy" in history
    return not named or history["val_accuracy"][-1] > series.facts["label_top_share"]


def _ours(directory: Path) -> Iterator[Said]:
    """Replays the rules on a log and yields the findings, root causes first."""
    reader = open_run(directory)
    engine = Engine(reader.info())
    opened: dict[str, int] = {}
    for record in reader.records():
        for event in engine.feed(record):
            if event.finding.severity != "info":
                opened.setdefault(event.finding.id, record.step)
    for finding in engine.findings:
        step = opened.get(finding.id, finding.last_step)
        layer = finding.layers[0] if finding.layers else ""
        yield Said(finding.rule, (finding.rule,), finding.severity, step, layer, _text(finding))


def _text(finding: Finding) -> str:
    numbers = "; ".join(
        f"{e.label} {e.value:.4g}" + ("" if e.limit is None else f" (limit {e.limit:g})")
        for e in finding.evidence
    )
    root = f" <- {finding.caused_by}" if finding.caused_by else ""
    return f"{finding.title} [{finding.first_step}-{finding.last_step}{root}] {numbers}"
