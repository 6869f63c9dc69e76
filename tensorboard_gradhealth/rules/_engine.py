"""Turns the signs that rules see at single records into findings with a beginning and an end.

The engine holds all that needs memory: a sign must hold for some records before it counts and
be gone for some before it is over, a finding is opened once and then only grows, and findings
are linked to their root cause. It has no clock and no randomness: the same records give the
same findings, during training and afterwards.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._catalogue import RULES
from tensorboard_gradhealth.rules._settings import merge_limits, parse_ignore
from tensorboard_gradhealth.rules._stories import in_order, link
from tensorboard_gradhealth.rules._view import Bools, History, Layout, View
from tensorboard_gradhealth.types import (
    FOLDED,
    NOT_MEASURED,
    SEVERITIES,
    Axis,
    Finding,
    Record,
    RuleState,
    RunInfo,
)

Origin = Literal["live", "replay"]


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A finding that began, changed (severity, layers or links) or ended."""

    kind: Literal["opened", "changed", "closed"]
    finding: Finding


@dataclasses.dataclass(slots=True)
class _Case:
    """What the engine remembers of one rule.

    `series` counts, per severity, the records in a row with a sign at least that severe. `told`
    is the severity in whose words the open finding is; its consequences can make it graver.
    """

    rule: Rule
    limits: Mapping[str, float]
    ignore: bool | re.Pattern[str] = False
    ignored: Mapping[Axis, Bools] = dataclasses.field(default_factory=dict)
    series: list[int] = dataclasses.field(default_factory=lambda: [0] * len(SEVERITIES))
    series_start: int = 0
    clean: int = 0
    opened: int = 0
    open_id: str = ""
    told: int = 0
    judged: bool = False
    reason: str = ""
    error: str = ""


class Engine:
    """Judges a run record by record.

    Attributes:
      info: What is known of the run; assign a new one when its rows or facts change.

    Example:
      >>> engine = Engine(RunInfo())
      >>> engine.feed(Record(step=0, first_step=0, signals={}))
      []
    """

    def __init__(
        self,
        info: RunInfo,
        rules: Sequence[Rule] = RULES,
        *,
        ignore: Mapping[str, bool | str] | None = None,
        limits: Mapping[str, Mapping[str, float]] | None = None,
        origin: Origin = "live",
    ) -> None:
        """Starts with nothing seen.

        Args:
          info: What is known of the run.
          rules: The rules to apply.
          ignore: By rule name: True to switch it off, or a regular expression (searched for in
            the names) of rows that it must not look at.
          limits: By rule name, then by limit name: thresholds that replace the rule's own.
          origin: What to write into the findings.

        Raises:
          ValueError: A rule, a limit or a regular expression in `ignore` or `limits` is not valid.
        """
        ignores = parse_ignore(ignore or {}, rules)
        merged = merge_limits(limits or {}, rules)
        # Rules that silence others come first, so that they do so within the same record.
        inhibitors = {name for rule in rules for name in rule.inhibited_by}
        ordered = sorted(rules, key=lambda rule: (rule.name not in inhibitors, rule.code))
        self._cases = {r.name: _Case(r, merged[r.name], ignores[r.name]) for r in ordered}
        self._explained_by = {rule.name: rule.explained_by for rule in rules}
        self._origin: Origin = origin
        self._histories: dict[str, History] = {}
        self._findings: dict[str, Finding] = {}
        self.info = info

    @property
    def info(self) -> RunInfo:
        """What is known of the run."""
        return self._layout.info

    @info.setter
    def info(self, info: RunInfo) -> None:
        self._layout = Layout(info)
        for case in self._cases.values():
            case.ignored = _ignored_rows(case.ignore, info)

    @property
    def findings(self) -> list[Finding]:
        """All findings, open and closed: root causes first, each before its consequences."""
        return in_order(list(self._findings.values()))

    def states(self) -> list[RuleState]:
        """Where each rule stands, in the order of the codes."""
        states = [self._state(case) for case in self._cases.values()]
        return sorted(states, key=lambda state: state.code)

    def feed(self, record: Record) -> list[Event]:
        """Judges the next record and returns what changed because of it.

        Args:
          record: Must be newer than the one before; may lack any signal.
        """
        before = dict(self._findings)
        record = _measured(record)
        self._remember(record)
        with np.errstate(all="ignore"):  # NaN and infinities are what rules are for.
            for case in self._cases.values():
                if not case.error and case.ignore is not True and self._concerns(case.rule, record):
                    self._judge(case, record)
        return self._changes(before)

    def _remember(self, record: Record) -> None:
        for signal, values in record.signals.items():
            history = self._histories.get(signal)
            # Other rows than before are another network: its past says nothing about it.
            if history is None or history.shape != values.shape:
                fields, whole = self._layout.fields(signal), self._layout.keeps_course(signal)
                history = History(fields, values.shape, whole=whole)
                self._histories[signal] = history
            history.append(record, values)

    def _concerns(self, rule: Rule, record: Record) -> bool:
        """Whether the record has anything new for the rule to judge."""
        if any(signal not in self._histories for signal in rule.requires):
            return False
        # Cumulative signals are written where they change: the last values still stand.
        return not rule.requires or any(
            signal in record.signals or self._layout.fields(signal) != FOLDED
            for signal in rule.requires
        )

    def _judge(self, case: _Case, record: Record) -> None:
        inhibitor = next((n for n in case.rule.inhibited_by if self._is_open(n)), "")
        if inhibitor:
            case.reason = f"meaningless while `{inhibitor}` holds"
            return
        view = View(self._layout, record, self._histories, case.limits, case.ignored)
        try:
            sign = case.rule.check(view)
        except NotEvaluated as reason:
            case.reason = str(reason)
            return
        except Exception as error:  # A broken rule must not break the training.
            case.error = f"{type(error).__name__}: {error}"
            return
        case.judged, case.reason = True, ""
        if sign is None:
            self._see_nothing(case)
        else:
            self._see(case, sign, record)

    def _see_nothing(self, case: _Case) -> None:
        case.series = [0] * len(SEVERITIES)
        case.clean += 1
        clear = case.rule.clear
        if case.open_id and clear is not None and case.clean >= clear:
            finding = self._findings[case.open_id]
            self._findings[finding.id] = dataclasses.replace(finding, open=False)
            case.open_id = ""

    def _see(self, case: _Case, sign: Sign, record: Record) -> None:
        case.clean = 0
        if case.series[0] == 0:
            case.series_start = record.first_step
        level = SEVERITIES.index(sign.severity)
        case.series = [n + 1 if level >= i else 0 for i, n in enumerate(case.series)]
        # Each return of a problem must hold twice as long: no chatter around a threshold.
        hold = case.rule.hold * 2 ** min(case.opened - bool(case.open_id), 4)
        held = [i for i, length in enumerate(case.series) if length >= hold]
        if case.open_id:
            self._grow(case, sign, max(held, default=0), record)
        elif held:
            self._open(case, sign, max(held), record)

    def _open(self, case: _Case, sign: Sign, level: int, record: Record) -> None:
        case.opened += 1
        case.open_id = _id(case.rule.name, case.opened)
        case.told = level
        onset = case.series_start if sign.onset is None else sign.onset
        before = self._findings.get(_id(case.rule.name, case.opened - 1))
        finding = Finding(
            id=case.open_id,
            rule=case.rule.name,
            code=case.rule.code,
            severity=SEVERITIES[level],
            title=sign.title,
            first_step=max(onset, before.last_step + 1) if before else onset,
            last_step=record.step,
            open=True,
            origin=self._origin,
            url=case.rule.url,
            references=case.rule.references,
        )
        self._findings[finding.id] = _tell(finding, sign)

    def _grow(self, case: _Case, sign: Sign, level: int, record: Record) -> None:
        finding = self._findings[case.open_id]
        layers = tuple(dict.fromkeys((*finding.layers, *sign.layers)))
        finding = dataclasses.replace(finding, last_step=record.step, layers=layers)
        if level > case.told:
            case.told = level
            severity = max(level, SEVERITIES.index(finding.severity))
            finding = _tell(dataclasses.replace(finding, severity=SEVERITIES[severity]), sign)
        self._findings[finding.id] = finding

    def _changes(self, before: Mapping[str, Finding]) -> list[Event]:
        """Links the findings anew if any changed, and tells what is different from before."""
        if all(_same(before.get(id_), finding) for id_, finding in self._findings.items()):
            return []
        self._findings = link(list(self._findings.values()), self._explained_by)
        events: list[Event] = []
        for finding in in_order(list(self._findings.values())):
            old = before.get(finding.id)
            if old is None:
                events.append(Event("opened", finding))
            elif old.open and not finding.open:
                events.append(Event("closed", finding))
            elif not _same(old, finding):
                events.append(Event("changed", finding))
        return events

    def _is_open(self, name: str) -> bool:
        return name in self._cases and bool(self._cases[name].open_id)

    def _state(self, case: _Case) -> RuleState:
        name, code = case.rule.name, case.rule.code
        if case.ignore is True:
            return RuleState(name, code, "not evaluated", "ignored on request")
        if case.error:
            return RuleState(name, code, "not evaluated", f"the rule failed: {case.error}")
        if case.open_id:
            return RuleState(name, code, "firing", case.reason)
        if case.judged:
            return RuleState(name, code, "cleared" if case.opened else "clean", case.reason)
        return RuleState(name, code, "not evaluated", case.reason or self._missing(case.rule))

    def _missing(self, rule: Rule) -> str:
        for signal in rule.requires:
            if signal not in self._histories:
                why = self.info.not_measured.get(signal, "")
                return f"signal `{signal}` was not recorded" + (f": {why}" if why else "")
        return "no record was seen"


def _measured(record: Record) -> Record:
    """The record without signals that were measured at none of its steps.

    What is sampled is not in every window; a rule that judges it is to wait, not to see nothing.
    """
    signals = {n: each for n, each in record.signals.items() if (each != NOT_MEASURED).any()}
    return dataclasses.replace(record, signals=signals)


def _tell(finding: Finding, sign: Sign) -> Finding:
    """The finding in the words of a sign; layers that it named before are kept."""
    return dataclasses.replace(
        finding,
        title=sign.title,
        layers=tuple(dict.fromkeys((*sign.layers, *finding.layers))),
        evidence=sign.evidence,
        causes=sign.causes,
        fixes=sign.fixes,
        harmless=sign.harmless,
        check=sign.check,
    )


def _id(rule: str, number: int) -> str:
    return rule if number == 1 else f"{rule}#{number}"


def _same(old: Finding | None, new: Finding) -> bool:
    """Whether nothing changed but the last step, which changes at every record."""
    return old is not None and dataclasses.replace(old, last_step=new.last_step) == new


def _ignored_rows(ignore: bool | re.Pattern[str], info: RunInfo) -> dict[Axis, Bools]:
    if isinstance(ignore, bool):
        return {}
    return {
        axis: np.array([ignore.search(row.name) is not None for row in rows], bool)
        for axis, rows in info.rows.items()
    }
