"""The verdicts on several runs, in the format of their reader: people, programs, reviewers, CI."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorboard.backend import json_util

from tensorboard_gradhealth import text
from tensorboard_gradhealth.rules import stories
from tensorboard_gradhealth.types import (
    SEVERITIES,
    Finding,
    Json,
    RuleState,
    Severity,
    finding_to_json,
)
from tensorboard_gradhealth.version import VERSION


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in one run; `problem` says why where it could not be read."""

    run: str
    findings: Sequence[Finding] = ()
    states: Sequence[RuleState] = ()
    problem: str = ""

    @property
    def worst(self) -> Severity | None:
        """Highest severity of the findings, be they over or not; None without findings."""
        levels = [SEVERITIES.index(finding.severity) for finding in self.findings]
        return SEVERITIES[max(levels)] if levels else None


def as_text(verdicts: Sequence[Verdict]) -> str:
    """For a console: each root cause in full, its consequences briefly, a line on all runs."""
    return "\n\n".join([*map(_text, verdicts), total(verdicts)])


def as_json(verdicts: Sequence[Verdict]) -> str:
    """For programs; NaN and infinities are the strings "NaN", "Infinity" and "-Infinity"."""
    runs = [
        {
            "run": verdict.run,
            "verdict": _word(verdict),
            "reason": verdict.problem,
            "findings": [finding_values(finding) for finding in verdict.findings],
            "rules": [dataclasses.asdict(state) for state in verdict.states],
        }
        for verdict in verdicts
    ]
    return json.dumps({"version": VERSION, "runs": runs}, indent=2)


def finding_values(finding: Finding) -> Json:
    """Returns a finding as JSON values, in plain dictionaries and lists."""
    values: Json = json.loads(json.dumps(json_util.Cleanse(finding_to_json(finding))))
    return values


def as_markdown(verdicts: Sequence[Verdict]) -> str:
    """For a comment on a pull request: a table for each run that has findings."""
    return "\n\n".join([f"**Gradient Health:** {total(verdicts)}", *map(_markdown, verdicts)])


def as_github(verdicts: Sequence[Verdict]) -> str:
    """For GitHub Actions: a command that makes an annotation, for each root cause."""
    lines = [line for verdict in verdicts for line in _annotations(verdict)]
    return "\n".join([*lines, total(verdicts)])


FORMATS: Mapping[str, Callable[[Sequence[Verdict]], str]] = {
    "text": as_text,
    "json": as_json,
    "markdown": as_markdown,
    "github": as_github,
}


def _word(verdict: Verdict) -> str:
    if verdict.problem:
        return "unreadable"
    if verdict.worst:
        return verdict.worst
    judged = any(state.state != "not evaluated" for state in verdict.states)
    return "healthy" if judged else "not measured"


def total(verdicts: Sequence[Verdict]) -> str:
    """In one sentence, how many runs there are of each verdict."""
    words = [_word(verdict) for verdict in verdicts]
    order = ("error", "warning", "info", "unreadable", "not measured", "healthy")
    counts = [f"{words.count(word)} {word}" for word in order if word in words]
    return f"{len(words)} run{'s'[: len(words) != 1]}: {', '.join(counts)}."


def _text(verdict: Verdict) -> str:
    if verdict.problem:
        return text.printable(f"{verdict.run} cannot be read: {verdict.problem}")
    if not verdict.findings:
        return text.render_summary((), verdict.states, run=verdict.run)
    parts = []
    for root, others in stories(verdict.findings):
        parts.append(text.render_finding(root, run=verdict.run))
        parts += map(text.render_consequence, others)
    return "\n\n".join(parts)


def _markdown(verdict: Verdict) -> str:
    head = f"### {_cell(verdict.run)}: {_word(verdict)}"
    if verdict.problem:
        return f"{head}\n\n{_cell(verdict.problem)}"
    if not verdict.findings:
        return head
    rows = ["| | rule | finding | since step | try |", "|---|---|---|---|---|"]
    for root, others in stories(verdict.findings):
        rows += [_row(root, ""), *(_row(other, "leads to ") for other in others)]
    return "\n".join([head, "", *rows])


def _row(finding: Finding, prefix: str) -> str:
    since = f"{finding.first_step}" + ("" if finding.open else f" to {finding.last_step}")
    fix = finding.fixes[0].text if finding.fixes and not prefix else ""
    cells = (
        finding.severity,
        f"{finding.code} `{finding.rule}`",
        prefix + finding.title,
        since,
        fix,
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(words: str) -> str:
    """Names are the user's: nothing in them may end a cell or begin markup of its own."""
    return text.printable(words).replace("|", "\\|").replace("<", "&lt;")


def _annotations(verdict: Verdict) -> list[str]:
    if verdict.problem:
        return [_annotation("error", f"{verdict.run} cannot be read", verdict.problem)]
    return [
        _annotation(
            "notice" if root.severity == "info" else root.severity,
            f"{root.code} {root.rule} in {verdict.run}",
            " ".join([f"{root.title}.", *(fix.text for fix in root.fixes[:1])]),
        )
        for root, _ in stories(verdict.findings)
    ]


def _annotation(command: str, title: str, message: str) -> str:
    title = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{command} title={title}::{_escaped(message)}"


def _escaped(words: Any) -> str:
    return text.printable(words).replace("%", "%25")
