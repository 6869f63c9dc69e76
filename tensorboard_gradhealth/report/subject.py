"""What the report is told of one run, and the words that sum it up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from tensorboard_gradhealth.storage.reader import RunReader
from tensorboard_gradhealth.types import SEVERITIES, Finding, RuleState

Health = Literal["error", "warning", "info", "healthy", "recovered", "unknown", "unreadable"]

Story = tuple[Finding, Sequence[Finding]]
"""A root cause, and what follows from it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """A run and its diagnosis.

    Attributes:
      run: Its name.
      reader: None for a run that cannot be read.
      stories: Worst first.
      states: One per rule.
      problem: Why it cannot be read; "" if it can.
    """

    run: str
    reader: RunReader | None = None
    stories: Sequence[Story] = ()
    states: Sequence[RuleState] = ()
    problem: str = ""

    @property
    def findings(self) -> list[Finding]:
        """Of all stories, each root cause before its consequences."""
        return [finding for root, others in self.stories for finding in (root, *others)]

    @property
    def health(self) -> Health:
        """Its verdict."""
        if self.problem:
            return "unreadable"
        if not self.stories:
            judged = any(state.state != "not evaluated" for state in self.states)
            return "healthy" if judged else "unknown"
        severity = max((f.severity for f in self.findings), key=SEVERITIES.index)
        if severity != "info" and not any(finding.open for finding in self.findings):
            return "recovered"
        return severity

    @property
    def headline(self) -> str:
        """What the verdict rests on, names in backticks; "" when the verdict says it all."""
        return self.problem or (self.stories[0][0].title if self.stories else "")


WORDS: dict[Health, str] = {
    "error": "Ill",
    "warning": "Ill",
    "info": "Healthy, with a remark",
    "healthy": "Healthy",
    "recovered": "Was ill, has recovered",
    "unknown": "Not measured",
    "unreadable": "Unreadable",
}
"""The verdicts, in the words of the tab."""
