"""The curve that a finding was read from, against the limit that it broke."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.report.markup import Markup, code, element, joined
from tensorboard_gradhealth.report.measured import Measured, Signal
from tensorboard_gradhealth.report.plot import Curve, plot, scale_of
from tensorboard_gradhealth.report.wording import quantity, step
from tensorboard_gradhealth.types import Evidence, Finding

_TOLERANCE = 0.02
"""How far a logged value may be from the number that a rule read."""


def evidence_curve(measured: Measured, finding: Finding) -> Markup | None:
    """Returns a figure of the one number that is worth a curve; None if none was logged."""
    chosen = _chosen(measured, finding)
    if chosen is None:
        return None
    evidence, signal, row = chosen
    timeline = measured.timeline
    values = timeline.place(signal.take([row]).series, signal.spec.fields)
    curve = Curve.of(values, signal.spec.fields, 0)
    limit = _limit_on_curve(signal, row, evidence)
    span = timeline.span(*steps_of(measured, finding))
    picture = plot(
        [curve],
        scale_of([curve], limit),
        title=_title(signal, evidence, limit),
        spans=[(*span, finding.severity)] if span else (),
        limit=limit,
    )
    return element("figure", picture, _caption(signal, evidence, limit), class_="spark")


def steps_of(measured: Measured, finding: Finding) -> tuple[int, int]:
    """First and last step at which it held; an open finding reaches to the end of the run."""
    steps = measured.timeline.steps
    end = int(steps[-1]) if finding.open and len(steps) else finding.last_step
    return finding.first_step, max(end, finding.last_step)


def _chosen(measured: Measured, finding: Finding) -> tuple[Evidence, Signal, int] | None:
    """The first evidence with a limit whose row was logged, else the first without one."""
    found = []
    for evidence in finding.evidence:
        signal = measured.signals.get(evidence.signal)
        row = signal.row(evidence.row) if signal else None
        if signal is not None and row is not None:
            found.append((evidence, signal, row))
    limited = [item for item in found if item[0].limit is not None]
    return next(iter([*limited, *found]), None)


def _limit_on_curve(signal: Signal, row: int, evidence: Evidence) -> float | None:
    """The limit, if it is one of the curve.

    A rule may hold it against what it computed from the signal, such as a ratio of two rows: then
    the number is not on the curve, and neither is the limit.
    """
    series = signal.series
    point = int(np.searchsorted(series.steps, evidence.step))
    if evidence.limit is None or point == len(series.steps):
        return None
    logged = series.values[point, row].astype(np.float64)
    near = np.isclose(logged, evidence.value, rtol=_TOLERANCE, atol=0, equal_nan=True)
    return evidence.limit if near.any() else None


def _caption(signal: Signal, evidence: Evidence, limit: float | None) -> Markup:
    of_row = joined(" of ", code(evidence.row)) if evidence.row else None
    limited = None
    if limit is not None:
        words = f"limit {quantity(limit, '', signal.spec.name)}"
        limited = element("span", words, class_="limit-word")
    return element("figcaption", element("span", signal.spec.title, of_row), limited)


def _title(signal: Signal, evidence: Evidence, limit: float | None) -> str:
    name = signal.spec.name
    # Isolated, so that a name written from right to left leaves the words around it alone.
    of_row = f" of \u2068{evidence.row}\u2069" if evidence.row else ""
    against = "" if limit is None else f", against a limit of {quantity(limit, '', name)}"
    value = quantity(evidence.value, signal.spec.unit, name)
    return f"{signal.spec.title}{of_row}: {value} at step {step(evidence.step)}{against}"
