"""Which finding explains which: the root cause first, its consequences under it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from tensorboard_gradhealth.types import SEVERITIES, Finding


def link(
    findings: Sequence[Finding], explained_by: Mapping[str, Sequence[str]]
) -> dict[str, Finding]:
    """Returns the findings by id, with `caused_by`, `cause_of` and the severity of roots set.

    A finding is explained by an earlier one (by onset, then by code, whose order is causal)
    that is more than information and whose rule is in its `explained_by`; it is attached to the
    root of that one. As causes are always earlier, there are no circles. What ruins a run is as
    grave as the ruin: a root becomes as severe as the worst of its consequences.

    Args:
      findings: All findings of a run.
      explained_by: Names of the rules that can cause a rule's finding, by rule name.
    """
    root: dict[str, str] = {}
    earlier: list[Finding] = []
    for finding in sorted(findings, key=_onset):
        causes = explained_by.get(finding.rule, ())
        found = (root[o.id] for o in earlier if o.rule in causes and o.severity != "info")
        root[finding.id] = next(found, finding.id)
        earlier.append(finding)
    consequences = {
        id_: tuple(f for f in earlier if root[f.id] == id_ != f.id) for id_ in root.values()
    }
    return {
        finding.id: dataclasses.replace(
            finding,
            severity=SEVERITIES[_worst(finding, consequences.get(finding.id, ()))],
            caused_by="" if root[finding.id] == finding.id else root[finding.id],
            cause_of=tuple(f.id for f in consequences.get(finding.id, ())),
        )
        for finding in findings
    }


def stories(findings: Sequence[Finding]) -> list[tuple[Finding, tuple[Finding, ...]]]:
    """Groups linked findings into (root cause, its consequences): worst story first, then oldest.

    A finding whose cause is not among `findings` counts as a root.
    """
    by_id = {finding.id: finding for finding in findings}
    roots = [finding for finding in findings if finding.caused_by not in by_id]
    told = [
        (root, tuple(sorted((f for f in findings if f.caused_by == root.id), key=_onset)))
        for root in roots
    ]
    return sorted(told, key=lambda story: (-_worst(*story), _onset(story[0])))


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with each root cause followed by its consequences, worst story first."""
    return [finding for root, others in stories(findings) for finding in (root, *others)]


def _onset(finding: Finding) -> tuple[int, str, str]:
    return finding.first_step, finding.code, finding.id


def _worst(root: Finding, others: tuple[Finding, ...]) -> int:
    return max(SEVERITIES.index(finding.severity) for finding in (root, *others))
