"""The last values of every layer, in numbers."""

from __future__ import annotations

import math

from tensorboard_gradhealth.report.map_rows import chosen_rows
from tensorboard_gradhealth.report.markup import Markup, element
from tensorboard_gradhealth.report.measured import Measured, Signal
from tensorboard_gradhealth.report.wording import quantity, size
from tensorboard_gradhealth.types import NOT_MEASURED, Axis, Finding, Row, SignalSpec

_TITLES: dict[Axis, str] = {"variable": "Weights", "activation": "Activations"}
_FIRST = ("gradient_norm", "update_ratio", "dead_fraction", "saturated_fraction")
_NOT_LAST = ("initial_weights",)
"""Measured before the first step alone."""

_MOST_ROWS = 200


def layer_tables(measured: Measured, findings: list[Finding]) -> list[Markup]:
    """Returns a table of the weights and one of the activations, where they were measured."""
    tables = (_table(measured, axis, title, findings) for axis, title in _TITLES.items())
    return [table for table in tables if table is not None]


def _table(measured: Measured, axis: Axis, title: str, findings: list[Finding]) -> Markup | None:
    signals = _columns(measured, axis)
    if not signals:
        return None
    rows = chosen_rows(signals[0], findings, _MOST_ROWS)
    total = len(signals[0].rows)
    part = f", {len(rows)} of {total:,} rows" if len(rows) < total else ""
    heads = [element("th", title, scope="col"), element("th", "Kind", scope="col")]
    heads += [_head(signal) for signal in signals]
    lines = [_line(signals, row) for row in rows]
    table = element(
        "table",
        element("caption", f"{title}: last values{part}"),
        element("thead", element("tr", heads)),
        element("tbody", lines),
        class_="layers",
    )
    return element("div", table, class_="scroll", role="group", tabindex=0, aria_label=title)


def _columns(measured: Measured, axis: Axis) -> list[Signal]:
    """Telling signals first; counts of what is not finite only where there was any."""
    signals = [
        signal
        for name, signal in measured.signals.items()
        if signal.spec.axis == axis
        and name not in _NOT_LAST
        and not (name.endswith("_nonfinite") and not signal.last().any())
    ]
    place = {name: index for index, name in enumerate(_FIRST)}
    return sorted(signals, key=lambda signal: place.get(signal.spec.name, len(_FIRST)))


def _head(signal: Signal) -> Markup:
    unit = element("small", signal.spec.unit) if signal.spec.unit else None
    about = signal.spec.description or None
    return element("th", signal.spec.title, unit, scope="col", class_="number", title=about)


def _line(signals: list[Signal], index: int) -> Markup:
    row = signals[0].rows[index]
    values = [
        _cell(signal.spec, float(signal.last()[index]) if index < len(signal.rows) else None)
        for signal in signals
    ]
    name = element("th", element("bdi", row.name), scope="row", class_="mono")
    return element("tr", name, element("td", _kind(row), class_="muted"), values)


def _cell(spec: SignalSpec, value: float | None) -> Markup:
    if value is None or value == NOT_MEASURED:
        return element("td", "\u2013", class_="number muted")
    return element("td", quantity(value, "", spec.name), class_=f"number{_oddity(spec, value)}")


def _oddity(spec: SignalSpec, value: float) -> str:
    if not math.isfinite(value):
        return " non-finite"
    low, high = spec.healthy or (None, None)
    beyond = (low is not None and value < low) or (high is not None and value > high)
    return " unusual" if beyond else ""


def _kind(row: Row) -> str:
    return f"{row.function or row.role}, {size(row.size)}"
