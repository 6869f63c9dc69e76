"""Findings as plain text for a console: no colour, ASCII but for the user's names, 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from tensorboard_gradhealth.rules import stories
from tensorboard_gradhealth.rules._wording import number
from tensorboard_gradhealth.types import Cause, Evidence, Finding, Fix, RuleState

WIDTH = 100
_LABEL = 10
_MOST_LINES = 20


def render_finding(finding: Finding, *, run: str = "") -> str:
    """Returns all that is known of one finding, over several lines.

    Args:
      finding: Its texts may hold any characters; those that steer a terminal are replaced.
      run: Name of the run, if there are several.
    """
    lines = [_heading(finding, run), f"  {finding.title}"]
    lines += _block("evidence", (_evidence(item) for item in finding.evidence))
    lines += _block("cause", (_cause(cause) for cause in finding.causes))
    for index, fix in enumerate(finding.fixes):
        lines += _fix(index, fix)
    lines += _block("check", filter(None, [finding.check]))
    lines += _block("harmless", filter(None, [finding.harmless]))
    lines += _block("due to", filter(None, [finding.caused_by]))
    lines += _block("leads to", filter(None, [", ".join(finding.cause_of)]))
    lines += _block("more", filter(None, [finding.url]))
    return "\n".join(map(printable, lines))


def render_consequence(finding: Finding) -> str:
    """Returns the two lines that matter of a finding which another one explains."""
    lines = [_heading(finding, ""), f"  {finding.title}"]
    lines += _block("due to", [finding.caused_by])
    return "\n".join(map(printable, lines))


def render_summary(
    findings: Sequence[Finding], states: Sequence[RuleState] = (), *, run: str = ""
) -> str:
    """Returns one screen: each root cause with its first fix and its consequences.

    Args:
      findings: As an engine or a log gives them.
      states: Of all rules, to say what was checked and what could not be.
      run: Name of the run, if there are several.
    """
    told = stories(findings)
    where = f" in {run}" if run else ""
    if not told:
        lines = [
            f"Healthy{where}: nothing was found." if _judged(states) else f"Not judged{where}."
        ]
    else:
        consequences = len(findings) - len(told)
        extra = f" with {_count(consequences, 'consequence')}" if consequences else ""
        lines = [f"{_count(len(told), 'problem')}{extra}{where}:"]
        for root, others in told:
            lines += _story(root, others)
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"... and {len(lines) - _MOST_LINES} more lines"]
    return "\n".join(map(printable, [*lines, *_coverage(states)]))


def _heading(finding: Finding, run: str) -> str:
    parts = [f"{finding.severity.upper()} {finding.code} {finding.rule}"]
    if run:
        parts.append(f"run {run}")
    parts.append(_span(finding))
    if finding.origin == "replay":
        parts.append("found afterwards")
    return " | ".join(parts)


def _span(finding: Finding) -> str:
    first, last = finding.first_step, finding.last_step
    steps = f"step {first}" if first == last else f"steps {first} to {last}"
    return f"{steps}, {'still open' if finding.open else 'over'}"


def _evidence(item: Evidence) -> str:
    unit = f" {item.unit}" if item.unit else ""
    limit = "" if item.limit is None else f" (limit {number(item.limit)})"
    where = f" in {item.row}" if item.row else ""
    return f"{item.label}: {number(item.value)}{unit}{limit}{where}, step {item.step}"


def _cause(cause: Cause) -> str:
    support = f" ({cause.support})" if cause.support else ""
    return f"{cause.confidence}: {cause.text}{support}"


def _fix(index: int, fix: Fix) -> list[str]:
    """Code is never wrapped: it is to be pasted."""
    sentence = _block("fix" if index == 0 else "", [f"{index + 1}. {fix.text}"])
    indent = " " * (2 + _LABEL + 3)
    return sentence + [indent + line for line in fix.code.splitlines()]


def _story(root: Finding, others: Sequence[Finding]) -> list[str]:
    lines = [_line(root, "  ")]
    if root.fixes:
        lines.append(f"      fix: {root.fixes[0].text}")
    return lines + [_line(other, "      leads to ") for other in others]


def _line(finding: Finding, indent: str) -> str:
    where = f"step {finding.first_step}{'' if finding.open else ', over'}"
    return f"{indent}{finding.severity.upper()} {finding.code} {finding.title} ({where})"


def _coverage(states: Sequence[RuleState]) -> Iterator[str]:
    checked = [state.rule for state in _judged(states)]
    missing = [state for state in states if state.state == "not evaluated"]
    if checked:
        yield from _wrapped(f"Checked: {', '.join(checked)}.", "  ", "  ")
    for state in missing:
        yield from _wrapped(f"Not evaluated: {state.rule}: {state.reason}.", "  ", "    ")


def _judged(states: Sequence[RuleState]) -> list[RuleState]:
    return [state for state in states if state.state != "not evaluated"]


def _block(label: str, items: Sequence[str] | Iterator[str]) -> list[str]:
    """Lines of the items, the label in front of the first."""
    lines: list[str] = []
    margin = " " * (2 + _LABEL)
    for item in items:
        head = margin if lines else f"  {label:<{_LABEL}}"
        lines += _wrapped(item, head, margin + "  ")
    return lines


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()), WIDTH, initial_indent=first, subsequent_indent=rest
    )


def _count(amount: int, noun: str) -> str:
    return f"{amount} {noun}" + ("" if amount == 1 else "s")


def printable(line: str) -> str:
    """Returns the line without what steers a terminal: the names in it are the user's."""
    return "".join(c if c.isprintable() else "?" for c in line)
