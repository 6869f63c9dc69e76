"""What the server knows of the rules: it is handed a judge, and imports none of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tensorboard_gradhealth.types import Finding, Record, RuleState, RunInfo

Limits = Mapping[str, Mapping[str, float]]
"""Thresholds that replace a rule's own: by rule name, then by limit name."""


class Judge(Protocol):
    """Judges a whole run."""

    def __call__(
        self, info: RunInfo, records: Sequence[Record], *, limits: Limits | None = None
    ) -> tuple[list[Finding], list[RuleState]]:
        """Returns the findings, root causes first, and the state of every rule.

        Raises:
          ValueError: `limits` names a rule or a limit that there is not.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class RuleSheet:
    """What there is to know of a rule beside its verdict on a run.

    Attributes:
      rule: Its name.
      code: `GHnnn`.
      group: Its place in the causal order.
      summary: One sentence.
      limits: Its thresholds by name.
      requires: Signals without which it cannot judge.
      url: Path of its page within the documentation.
    """

    rule: str
    code: str
    group: str
    summary: str
    limits: Mapping[str, float]
    requires: tuple[str, ...]
    url: str


def parse_limits(data: Any) -> dict[str, dict[str, float]]:
    """Checks the shape of limits that came as JSON; the judge checks the names.

    Raises:
      ValueError: They are not finite numbers by limit name by rule name.
    """
    accepted = 'limits by rule and name, such as {"dead_units": {"warning": 0.5}}'
    if not isinstance(data, dict) or not all(isinstance(item, dict) for item in data.values()):
        raise ValueError(f"{data!r} is not accepted; give {accepted}.")
    for rule, limits in data.items():
        for name, value in limits.items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                raise ValueError(f"{rule}.{name} is {value!r}; give a finite number.")
    return {
        rule: {name: float(value) for name, value in limits.items()}
        for rule, limits in data.items()
    }
