"""What a rule file exports: `RULE = Rule(...)`.

A rule is one file. Its module docstring is its page in `docs/rules/`, its `check` judges one
moment of a run, and its `healthy` and `sick` cases are its tests. Everything that needs memory
of earlier verdicts (hold time, clearing, escalation, links between rules) is in `_engine.py`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity

if TYPE_CHECKING:
    from tensorboard_gradhealth.rules._cases import Case
    from tensorboard_gradhealth.rules._view import View

Group = Literal["data", "setup", "step", "activation", "gradient", "loss"]

GROUPS: tuple[Group, ...] = ("data", "setup", "step", "activation", "gradient", "loss")
"""In causal order: of two problems with one onset, the one in the earlier group is the root."""


class NotEvaluated(Exception):
    """Raised by a check that cannot judge yet, with the reason as its text.

    It is not a verdict: what the rule found before stays as it is.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class Sign:
    """What a check saw at one record. The engine decides whether it becomes a finding.

    Attributes:
      severity: Of this record alone.
      title: One fact, at most 80 characters; make it with `_wording.title`.
      evidence: Numbers against limits; at least one.
      layers: Names of the rows concerned, worst first; empty when it is about the whole run.
      causes: Most credible first.
      fixes: To be tried in this order.
      harmless: When this can be ignored.
      check: How to see that a fix worked.
      onset: Step where it began; None stands for the first record of the unbroken series of signs.
    """

    severity: Severity
    title: str
    evidence: tuple[Evidence, ...]
    layers: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    fixes: tuple[Fix, ...] = ()
    harmless: str = ""
    check: str = ""
    onset: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One diagnosis.

    Attributes:
      name: In snake_case; public, and the name of the file.
      code: `GHgnn`, where g is the position of the group.
      group: Place in the causal order.
      check: Judges one record. Pure: it sees the view and nothing else.
      requires: Signals without which it cannot judge.
      limits: Its thresholds by name; users may override each.
      explained_by: Names of the rules whose problem can cause this one.
      hold: Records in a row that must show a sign before it is a finding.
      clear: Records in a row without a sign that close the finding; None: nothing closes it.
      inhibited_by: Rules that, while they fire, make this one meaningless.
      references: Papers and pages.
      healthy: Runs on which it must stay silent.
      sick: Runs on which it must fire, with what it must say.
    """

    name: str
    code: str
    group: Group
    check: Callable[[View], Sign | None]
    requires: tuple[str, ...] = ()
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    explained_by: tuple[str, ...] = ()
    hold: int = 1
    clear: int | None = 5
    inhibited_by: tuple[str, ...] = ("nonfinite_values",)
    references: tuple[str, ...] = ()
    healthy: tuple[Case, ...] = ()
    sick: tuple[Case, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError if the name or the code breaks the conventions above."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"rule name {self.name!r} is not in snake_case")
        prefix = f"GH{GROUPS.index(self.group) + 1}"
        if not re.fullmatch(prefix + r"\d\d", self.code):
            raise ValueError(
                f"rule {self.name!r} has code {self.code!r}; "
                f"group {self.group!r} has codes {prefix}01 to {prefix}99"
            )
        if self.hold < 1 or (self.clear is not None and self.clear < 1):
            raise ValueError(f"rule {self.name!r}: hold and clear count records and must be >= 1")

    @property
    def url(self) -> str:
        """Path of the rule's page within the documentation."""
        return f"docs/rules/{self.name}.md"
