"""Layers by steps as colours, the cells that findings speak of framed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorboard_gradhealth.report import cells
from tensorboard_gradhealth.report.evidence_curve import steps_of
from tensorboard_gradhealth.report.map_legend import map_legend
from tensorboard_gradhealth.report.map_rows import chosen_rows, concerned
from tensorboard_gradhealth.report.markup import Markup, element
from tensorboard_gradhealth.report.measured import Measured, Signal
from tensorboard_gradhealth.report.png import data_uri
from tensorboard_gradhealth.report.scale import scale_of_map
from tensorboard_gradhealth.report.subject import Story
from tensorboard_gradhealth.report.timeline import held
from tensorboard_gradhealth.report.training import step_axis
from tensorboard_gradhealth.report.wording import count, size
from tensorboard_gradhealth.types import NOT_MEASURED, Finding, Row

_ALWAYS = "gradient_norm"
_PLOT_WIDTH = 800


def health_maps(measured: Measured, stories: Sequence[Story]) -> list[Markup]:
    """Returns a figure for each signal by layer that a finding names, and the gradient's norm."""
    findings = [finding for root, others in stories for finding in (root, *others)]
    names = [item.signal for finding in findings for item in finding.evidence]
    signals = [measured.signals.get(name) for name in dict.fromkeys([*names, _ALWAYS])]
    return [
        _health_map(measured, signal, findings)
        for signal in signals
        if signal is not None and signal.spec.axis in ("variable", "activation")
    ]


def _health_map(measured: Measured, signal: Signal, findings: list[Finding]) -> Markup:
    rows = chosen_rows(signal, findings)
    shown = signal.take(rows)
    spec = signal.spec
    values = held(measured.timeline.place(shown.series, spec.fields)[:, :, 0]).T
    scale = scale_of_map(values[values != NOT_MEASURED], spec.scale == "log")
    codes = cells.codes_of(values, scale)
    width = max(4, _PLOT_WIDTH // max(1, codes.shape[1]))
    about = f"{spec.title}: {count(len(rows), 'row')} by {count(codes.shape[1], 'column')}"
    image = element(
        "img",
        src=data_uri(cells.paint(codes, width), cells.palette()),
        alt=f"{about}. The last values are in the table of layers.",
        style=f"height:{cells.ROW_HEIGHT * len(rows)}px",
    )
    own = [f for f in findings if any(item.signal == spec.name for item in f.evidence)]
    touched = set(concerned(shown, own))
    labels = [_label(row, i in touched) for i, row in enumerate(shown.rows)]
    stage = element("div", image, _frames(measured, shown, own), class_="map-stage")
    return element(
        "figure",
        _caption(signal, len(rows)),
        element("div", element("div", labels, class_="map-rows"), stage, class_="map-grid"),
        step_axis(measured.timeline),
        map_legend(spec, scale, np.unique(codes)),
        class_="map",
    )


def _caption(signal: Signal, shown: int) -> Markup:
    spec = signal.spec
    all_rows = len(signal.rows)
    part = ""
    if shown < all_rows:
        part = (
            f" {shown} of {all_rows:,} rows: those that findings name, those that are not "
            "finite, and others at even distances."
        )
    title = element("h4", spec.title, element("small", f" {spec.unit}") if spec.unit else None)
    return element("figcaption", title, element("p", spec.description, part))


def _label(row: Row, touched: bool) -> Markup:
    """A path that is too long loses its beginning, as its end tells rows apart."""
    name = element("bdi", row.name or "(without a name)")
    about = row.function or (size(row.size) if row.size > 1 else None)
    return element(
        "div",
        element("span", name, class_="row-name", title=row.name),
        element("span", about, class_="row-size"),
        class_="touched" if touched else None,
    )


def _frames(measured: Measured, signal: Signal, findings: list[Finding]) -> list[Markup]:
    """A frame around the rows and steps of each finding, one for rows that are neighbours."""
    frames = []
    for finding in findings:
        span = measured.timeline.span(*steps_of(measured, finding))
        if span is None:
            continue
        left, right = span
        for top, bottom in _neighbours(concerned(signal, [finding])):
            style = (
                f"left:{100 * left:.2f}%;width:{100 * (right - left):.2f}%;"
                f"top:{cells.ROW_HEIGHT * top}px;height:{cells.ROW_HEIGHT * (bottom - top) - 1}px"
            )
            frames.append(element("i", class_="frame", style=style))
    return frames


def _neighbours(rows: list[int]) -> list[tuple[int, int]]:
    """Joins rows that follow one another into (first, one past the last)."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = runs[-1][0], row + 1
        else:
            runs.append((row, row + 1))
    return runs
