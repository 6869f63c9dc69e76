"""The JSON answers of the HTTP API as pure functions; docs/http_api.md describes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from tensorboard_gradhealth.backend.judging import Limits, RuleSheet
from tensorboard_gradhealth.backend.runs import Diagnosis
from tensorboard_gradhealth.storage.reader import RunReader, UnreadableRun
from tensorboard_gradhealth.types import (
    SEVERITIES,
    Finding,
    Json,
    RuleState,
    RunInfo,
    SignalSpec,
    finding_to_json,
)
from tensorboard_gradhealth.version import VERSION


class BadArgument(ValueError):
    """A request that makes no sense; the message says what is accepted."""


def runs(diagnoses: Iterable[Diagnosis]) -> Json:
    """Answers `GET runs`."""
    return {"version": VERSION, "runs": [_summary(diagnosis) for diagnosis in diagnoses]}


def run(diagnosis: Diagnosis, reader: RunReader | None) -> Json:
    """Answers `GET run`; the reader is None for a run that cannot be read."""
    info = reader.info() if reader else RunInfo()
    return {
        **_summary(diagnosis),
        "origin": diagnosis.origin,
        "facts": dict(info.facts),
        "rows": {axis: [dataclasses.asdict(r) for r in rows] for axis, rows in info.rows.items()},
        "signals": _signals(info, reader) if reader else [],
        "findings": [finding_to_json(finding) for finding in in_order(diagnosis.findings)],
        "rules": [dataclasses.asdict(state) for state in diagnosis.states],
        "flights": _flights(reader) if reader else [],
        "notes": _notes(diagnosis, reader),
    }


def rules(sheets: Iterable[RuleSheet]) -> Json:
    """Answers `GET rules`."""
    return {"rules": [dataclasses.asdict(sheet) for sheet in sheets]}


def replay(
    run: str, limits: Limits, findings: Sequence[Finding], states: Sequence[RuleState]
) -> Json:
    """Answers `GET replay`: what the rules say with other limits."""
    return {
        "run": run,
        "limits": limits,
        "findings": [finding_to_json(finding) for finding in in_order(findings)],
        "rules": [dataclasses.asdict(state) for state in states],
    }


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Orders findings: root causes first, each followed by its consequences.

    Among root causes the one with the gravest consequence comes first, then as given. A finding
    whose cause is missing from the list, or that would be its own cause, counts as a root cause.
    """
    ids = {finding.id for finding in findings}
    ordered: list[Finding] = []
    trees = [
        _tree(finding, findings)
        for finding in findings
        if finding.caused_by not in ids or finding.caused_by == finding.id
    ]
    for tree in sorted(trees, key=_severity, reverse=True):
        ordered.extend(tree)
    return ordered + [finding for finding in findings if finding not in ordered]


def _tree(root: Finding, findings: Sequence[Finding]) -> list[Finding]:
    tree = [root]
    for finding in findings:
        if finding.caused_by == root.id and finding.id != root.id:
            tree += _tree(finding, findings)
    return tree


def _severity(findings: Sequence[Finding]) -> int:
    return max(SEVERITIES.index(finding.severity) for finding in findings)


def _summary(diagnosis: Diagnosis) -> Json:
    findings = in_order(diagnosis.findings)
    severities = [finding.severity for finding in findings]
    return {
        "run": diagnosis.run,
        "state": diagnosis.state,
        "last_step": diagnosis.last_step,
        "kept": diagnosis.kept,
        "written": diagnosis.written,
        "verdict": _verdict(diagnosis),
        "headline": findings[0].title if findings else "",
        "counts": {severity: severities.count(severity) for severity in SEVERITIES},
        "reason": diagnosis.reason,
    }


def _verdict(diagnosis: Diagnosis) -> str:
    if diagnosis.reason:
        return "unreadable"
    if diagnosis.findings:
        return SEVERITIES[_severity(diagnosis.findings)]
    if all(state.state == "not evaluated" for state in diagnosis.states):
        return "not measured"
    return "healthy"


def _signals(info: RunInfo, reader: RunReader) -> list[Json]:
    unmeasured = [
        SignalSpec(name, name.replace("_", " ").capitalize(), "", "run", ())
        for name in info.not_measured
        if name not in info.signals
    ]
    return [_signal(spec, info, reader) for spec in [*info.signals.values(), *unmeasured]]


def _signal(spec: SignalSpec, info: RunInfo, reader: RunReader) -> Json:
    reason = info.not_measured.get(spec.name, "")
    kept = 0
    if spec.name in info.signals:
        try:
            kept = reader.count(spec.name)
        except UnreadableRun as error:
            reason = str(error)
    return {**dataclasses.asdict(spec), "kept": kept, "not_measured": reason}


def _flights(reader: RunReader) -> list[Json]:
    try:
        flights = reader.flights()
    except UnreadableRun:  # asked for one of them, `flight` says why
        return []
    return [
        {
            "findings": list(flight.findings),
            "first_step": flight.first_step,
            "last_step": flight.last_step,
            "signals": list(flight.signals),
        }
        for flight in flights
    ]


def _notes(diagnosis: Diagnosis, reader: RunReader | None) -> list[str]:
    notes = []
    if diagnosis.kept < diagnosis.written:
        notes.append(
            f"Showing {diagnosis.kept} of {diagnosis.written} points: this TensorBoard keeps a "
            "sample. Start it with --gradhealth_samples 0 to keep all."
        )
    if reader and reader.layers_since > 0:
        notes.append(
            f"The layers changed at step {reader.layers_since}: "
            "their signals are shown from there on."
        )
    return notes
