"""What the server knows of the rules: it is handed a judge, and imports none of them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any, Protocol

from tensorboard_gradhealth.storage.reader import RunReader, UnreadableRun
from tensorboard_gradhealth.types import Finding, Record, RuleState, RunInfo

Limits = Mapping[str, Mapping[str, float]]
"""Thresholds that replace a rule's own: by rule name, then by limit name."""

_RECORDS_REMEMBERED = 200
"""A rule looks back over fewer records than this; of so many a judging is taken to hold copies."""


class Judging(Protocol):
    """Judges a run record by record."""

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, root causes first."""
        ...

    def states(self) -> list[RuleState]:
        """Returns the state of every rule."""
        ...

    def feed(self, record: Record) -> object:
        """Judges the next record."""
        ...


class Judge(Protocol):
    """Starts to judge a run."""

    def __call__(self, info: RunInfo, *, limits: Limits | None = None) -> Judging:
        """Returns what is to be fed with the records.

        Raises:
          ValueError: `limits` names a rule or a limit that there is not.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of the records so far, and what it takes to go on with later ones.

    Attributes:
      findings: Root causes first.
      states: One per rule.
      _judging: What was fed with the records so far. It goes with whoever feeds it on, so that
        one that failed half-way is not fed a second time.
    """

    findings: tuple[Finding, ...]
    states: tuple[RuleState, ...]
    _judging: list[Judging]
    _info: RunInfo
    _times: tuple[float, ...]
    _last: Record | None

    @classmethod
    def of(cls, reader: RunReader, judging: Judging) -> Verdict:
        """Judges all records of a run.

        Raises:
          UnreadableRun: It cannot be read, or the rules fail on it.
        """
        return cls._after(reader, judging, 0, None)

    def continued(self, reader: RunReader) -> Verdict | None:
        """Judges the records that came later; None if that would not be the same as anew.

        It is not where training went back to a checkpoint, the layers changed, or the record that
        was the last one has got further signals; nor can a verdict be continued twice.

        Raises:
          UnreadableRun: The run cannot be read, or the rules fail on it.
        """
        count = len(self._times)
        same = reader.times()[:count] == self._times and reader.info() == self._info
        if not (same and self._judging):
            return None
        if self._last is not None:
            again = next(reader.records_from(count - 1))
            if again.signals.keys() != self._last.signals.keys():
                return None
        return self._after(reader, self._judging.pop(), count, self._last)

    @classmethod
    def _after(
        cls, reader: RunReader, judging: Judging, count: int, last: Record | None
    ) -> Verdict:
        for record in reader.records_from(count):
            last = record
            try:
                judging.feed(record)
            except Exception as error:
                # A rule that trips over a strange log must not cost the other runs.
                raise UnreadableRun(f"The rules failed on this run: {error!r}") from error
        findings, states = tuple(judging.findings), tuple(judging.states())
        return cls(findings, states, [judging], reader.info(), reader.times(), last)

    def size(self) -> int:
        """Returns how many bytes it takes in memory, about."""
        record = self._last.signals.values() if self._last else ()
        return _RECORDS_REMEMBERED * sum(values.nbytes for values in record)


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
            if not number or not abs(value) <= sys.float_info.max:
                raise ValueError(f"{rule}.{name} is {value!r}; give a finite number.")
    return {
        rule: {name: float(value) for name, value in limits.items()}
        for rule, limits in data.items()
    }
