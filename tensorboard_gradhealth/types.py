"""The values that cross the borders between measuring, judging, storing and showing.

Everything here is a frozen dataclass over NumPy arrays and plain Python values, so that a
training process, a rule, an event file and TensorBoard's server can share it without
importing each other (and without importing TensorFlow). What a finding reads like is written
elsewhere, and imported when somebody reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Axis = Literal["run", "variable", "activation", "feature", "class", "metric"]
"""What one row of a signal stands for."""

Severity = Literal["info", "warning", "error"]
"""`info`: worth knowing. `warning`: likely wasting the run. `error`: the run cannot work."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")

Confidence = Literal["likely", "possible", "ruled out"]

State = Literal["firing", "cleared", "clean", "not evaluated"]

Json = dict[str, Any]

FOLDED = ("mean", "min", "max")
"""Fields of a signal that is measured at every step and folded over a window of steps.

`mean` is NaN or infinite as soon as one step of the window was; `min` and `max` are taken over
the finite steps alone, and are NaN when there is none.
"""

NOT_MEASURED = np.float32(np.finfo(np.float32).min)
"""Stands in an array where nothing was measured; NaN there means that a NaN was measured."""


@dataclasses.dataclass(frozen=True, slots=True)
class SignalSpec:
    """A measured quantity, described well enough to be drawn by code that never heard of it.

    Attributes:
      name: Stable, in snake_case; the tag in the log is `gradhealth/<name>`.
      title: For people, in sentence case.
      unit: Of the values; "" when dimensionless.
      axis: What a row stands for.
      fields: What a column stands for.
      scale: How to colour and plot it.
      healthy: Lowest and highest value that is usual in healthy training, each `None` if open.
      description: One or two sentences: what it is and how to read it.
    """

    name: str
    title: str
    unit: str
    axis: Axis
    fields: tuple[str, ...] = FOLDED
    scale: Literal["log", "linear"] = "linear"
    healthy: tuple[float | None, float | None] | None = None
    description: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row of a signal: a variable, an activation, an input feature, a class or a metric.

    Attributes:
      name: Unique within its axis, in the user's own words (`dense/kernel`, `dense`, `x[3]`).
      layer: Path of the layer that it belongs to, "" if none.
      role: `kernel`, `bias`, `embedding`, `norm` or `other` for variables; `hidden` or `output`
        for activations; `input` or `target` for features; `label` for classes.
      size: Elements of a variable, units (channels) of an activation; 1 otherwise.
      function: Name of the activation function, e.g. `relu`; "" otherwise.
    """

    name: str
    layer: str = ""
    role: str = "other"
    size: int = 1
    function: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class RunInfo:
    """What is known of a run beside its measurements.

    Attributes:
      rows: Row descriptions per axis, in network order.
      signals: Specs by signal name.
      facts: Optimizer, loss, batch size, versions, ...: JSON values by name.
      not_measured: Reason by signal name, for what was asked for and could not be measured.
    """

    rows: Mapping[Axis, tuple[Row, ...]] = dataclasses.field(default_factory=dict)
    signals: Mapping[str, SignalSpec] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    not_measured: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """All signals of one logged window of steps.

    Attributes:
      step: Last step of the window; steps count completed calls of the training step, from 0.
      first_step: First step of the window; equal to `step` where steps are logged one by one.
      signals: float32 `[rows, fields]` by signal name. A signal may be absent from a record.
      written: Records written to this log up to and including this one, so that a reader can
        tell how many a sampling server dropped.
      first_nonfinite_step: First step of the whole run at which a loss, gradient, weight,
        activation or input was NaN or infinite; -1 if none was.
    """

    step: int
    first_step: int
    signals: Mapping[str, npt.NDArray[np.float32]]
    written: int = 0
    first_nonfinite_step: int = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Flight:
    """The single steps, T of them, that led to the record at which findings opened.

    Attributes:
      findings: `id`s of those findings.
      first_step: Of the first row; the others follow without a gap.
      signals: float32 `[T, rows]` by signal name, for signals that are measured in the training
        step; `NOT_MEASURED` at the steps that a sampled signal left out.
      wall_time: When it was written, in seconds since the epoch; 0 before that.
    """

    findings: tuple[str, ...]
    first_step: int
    signals: Mapping[str, npt.NDArray[np.float32]]
    wall_time: float = 0.0

    @property
    def last_step(self) -> int:
        """Step of the last row, which is that of the record."""
        return self.first_step - 1 + max((len(rows) for rows in self.signals.values()), default=0)


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """One number that supports a finding, next to the limit that it broke.

    Attributes:
      label: What was measured, without the number.
      value: The number; may be NaN or infinite.
      limit: What it was held against; None when it only informs.
      unit: Of both; "" when dimensionless.
      signal: Signal that it was read from; "" when computed from several.
      step: When it was read.
      row: Name of the row that it belongs to; "" when it speaks of the whole run.
    """

    label: str
    value: float
    limit: float | None = None
    unit: str = ""
    signal: str = ""
    step: int = 0
    row: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """A possible reason, and what supports it. `likely` only when a second signal does."""

    text: str
    confidence: Confidence = "possible"
    support: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Fix:
    """Something to try: one sentence, and code that can be pasted (may be empty)."""

    text: str
    code: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One problem of one run, from the step where it began; `str` of it is what is printed.

    Attributes:
      id: Unique within a run and stable while the finding lives: `<rule>` or `<rule>#2`, ...
      rule: Name of the rule in snake_case.
      code: Its stable code, `GHnnn`.
      severity: The highest that it reached.
      title: One fact in the user's own names, at most 80 characters, names in backticks.
      first_step: Where it began (its onset, not the step at which it was confirmed).
      last_step: Last step at which it was seen.
      open: Whether it still held at the last record.
      layers: Names of the rows concerned, worst first.
      evidence: Numbers against limits.
      causes: Most credible first.
      fixes: To be tried in this order.
      harmless: When this finding can be ignored.
      check: How to see that a fix worked.
      caused_by: `id` of the finding that explains this one; "" for a root cause.
      cause_of: `id`s of the findings that this one explains.
      origin: `live` if it was found during training, `replay` if from the log afterwards.
      url: Path of the rule's page within the documentation.
      references: Papers and pages.
    """

    id: str
    rule: str
    code: str
    severity: Severity
    title: str
    first_step: int
    last_step: int
    open: bool
    layers: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    causes: tuple[Cause, ...] = ()
    fixes: tuple[Fix, ...] = ()
    harmless: str = ""
    check: str = ""
    caused_by: str = ""
    cause_of: tuple[str, ...] = ()
    origin: Literal["live", "replay"] = "live"
    url: str = ""
    references: tuple[str, ...] = ()

    def __str__(self) -> str:
        from tensorboard_gradhealth import text

        return text.render_finding(self)

    def to_dict(self) -> Json:
        """Returns it as `gradhealth check --format json` writes it, for `json.dumps`.

        NaN and infinities are the strings "NaN", "Infinity" and "-Infinity".
        """
        from tensorboard_gradhealth import formats

        return formats.finding_values(self)


@dataclasses.dataclass(frozen=True, slots=True)
class RuleState:
    """Where a rule stands for a run; `reason` says why when it was not evaluated."""

    rule: str
    code: str
    state: State
    reason: str = ""


def finding_to_json(finding: Finding) -> Json:
    """Returns the finding as JSON values; non-finite numbers stay floats."""
    return dataclasses.asdict(finding)


def finding_from_json(data: Json) -> Finding:
    """The inverse of `finding_to_json`; ignores names that this version does not know.

    Raises:
      TypeError: A required name is missing.
    """
    parts = {"evidence": Evidence, "causes": Cause, "fixes": Fix}
    known = {field.name for field in dataclasses.fields(Finding)}
    values = {name: value for name, value in data.items() if name in known}
    for name, kind in parts.items():
        values[name] = tuple(_known(kind, item) for item in values.get(name, ()))
    for name in ("layers", "cause_of", "references"):
        values[name] = tuple(values.get(name, ()))
    return Finding(**values)


def _known(kind: type[Any], data: Json) -> Any:
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in data.items() if name in names})
