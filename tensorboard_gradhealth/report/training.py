"""How training as a whole went: a few curves on the axis that all charts of a run share."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.report.evidence_curve import steps_of
from tensorboard_gradhealth.report.markup import Markup, element
from tensorboard_gradhealth.report.measured import Measured, Signal
from tensorboard_gradhealth.report.plot import Curve, plot, scale_of
from tensorboard_gradhealth.report.scale import Scale
from tensorboard_gradhealth.report.subject import Story
from tensorboard_gradhealth.report.timeline import Timeline
from tensorboard_gradhealth.report.wording import quantity, step

_CHARTS = (
    ("loss", "validation_loss"),
    ("learning_rate",),
    ("gradient_global_norm",),
    ("stability_margin",),
)
"""Each with the signals that share its axis."""

_LIMITS = {"stability_margin": 1.0}
"""Beyond 1 the curvature is too high for the learning rate: the edge of stability."""

_MOST_LANES = 6

_EDGE = 0.03
"""A label closer to the end of a scale would stand in the next chart."""


def training(measured: Measured, stories: list[Story]) -> Markup | None:
    """Returns the charts, findings as bars above them; None where nothing was measured."""
    evident = {
        item.signal for root, others in stories for f in (root, *others) for item in f.evidence
    }
    usual = {name for names in _CHARTS for name in names}
    run_wide = [s.spec.name for s in measured.signals.values() if s.spec.axis == "run"]
    extra = [(name,) for name in run_wide if name in evident and name not in usual]
    groups = [
        [measured.signals[name] for name in names if name in measured.signals]
        for names in (*_CHARTS, *extra)
    ]
    spans = [span for story in stories[:1] if (span := _span(measured, story))]
    strips = [_strip(measured, group, spans) for group in groups if group]
    if not strips:
        return None
    lanes = [_lane(measured, story) for story in stories[:_MOST_LANES]]
    return element("div", lanes, strips, step_axis(measured.timeline), class_="strips")


def step_axis(timeline: Timeline) -> Markup:
    """Returns the steps below charts or a map."""
    ticks = [
        element("span", step(at), style=f"left:{100 * place:.2f}%")
        for place, at in timeline.ticks()
    ]
    named = element("span", "step", class_="axis-name")
    return element("div", named, element("div", ticks, class_="axis-ticks"), class_="axis")


def _span(measured: Measured, story: Story) -> tuple[float, float, str] | None:
    root = story[0]
    span = measured.timeline.span(*steps_of(measured, root))
    return (*span, root.severity) if span else None


def _lane(measured: Measured, story: Story) -> Markup | None:
    """When a root cause held."""
    span = _span(measured, story)
    if span is None:
        return None
    start, end, severity = span
    style = f"left:{100 * start:.2f}%;width:{100 * (end - start):.2f}%"
    bar = element("div", element("i", style=style, class_=severity), class_="lane-bar")
    name = element("span", story[0].rule.replace("_", " "), class_="lane-name")
    return element("div", name, bar, class_="lane")


def _strip(
    measured: Measured, signals: list[Signal], spans: list[tuple[float, float, str]]
) -> Markup:
    timeline = measured.timeline
    curves = [Curve.of(timeline.place(s.series, s.spec.fields), s.spec.fields, 0) for s in signals]
    spec = signals[0].spec
    limit = _LIMITS.get(spec.name)
    scale = scale_of(curves, limit)
    ticks = _ticks(scale, curves)
    picture = plot(
        curves,
        scale,
        title=spec.title if len(signals) == 1 else " and ".join(s.spec.title for s in signals),
        about=" ".join(map(_course, signals, curves)),
        spans=spans,
        limit=limit,
        grid=ticks,
    )
    labels = [
        element("span", quantity(tick, "", spec.name), style=f"top:{100 - 100 * place:.1f}%")
        for tick, place in zip(ticks, scale.place(ticks), strict=True)
    ]
    names = [_name(s, c, tone) for tone, (s, c) in enumerate(zip(signals, curves, strict=True))]
    return element(
        "div",
        element("div", names, class_="strip-name"),
        element("div", labels, class_="strip-ticks", aria_hidden="true"),
        picture,
        class_="strip",
    )


def _ticks(scale: Scale, curves: list[Curve]) -> list[float]:
    """The values to label; a curve that never moves has one."""
    values = np.unique(np.concatenate([curve.measured for curve in curves]))
    finite = values[np.isfinite(values)]
    if len(finite) <= 1:
        return [float(value) for value in finite]
    return [tick for tick in scale.ticks() if _EDGE < scale.place(tick) < 1 - _EDGE]


def _name(signal: Signal, curve: Curve, tone: int) -> Markup:
    """The signal, and the last value that it had."""
    spec = signal.spec
    measured = curve.measured
    value = float(measured[-1]) if len(measured) else float("nan")
    return element(
        "span",
        element("i", class_=f"key tone-{tone}"),
        element("span", spec.title, element("small", spec.unit) if spec.unit else None),
        element("b", quantity(value, "", spec.name), class_=_odd(value)),
        title=spec.description or None,
    )


def _course(signal: Signal, curve: Curve) -> str:
    measured = curve.measured
    spec = signal.spec
    if not len(measured):
        return f"{spec.title} was not measured."
    first, last = (quantity(float(measured[i]), spec.unit, spec.name) for i in (0, -1))
    odd = int((~np.isfinite(measured)).sum())
    beyond = f", not finite at {odd} points" if odd else ""
    return f"{spec.title} went from {first} to {last}{beyond}."


def _odd(value: float) -> str | None:
    return None if np.isfinite(value) else "non-finite"
