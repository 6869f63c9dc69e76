"""A curve as SVG: paths in a box of 1000 by 100 that a page stretches to the room it has."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.report.markup import Markup, element
from tensorboard_gradhealth.report.scale import Scale, scale_of_curve
from tensorboard_gradhealth.report.timeline import Floats
from tensorboard_gradhealth.types import NOT_MEASURED

WIDTH, HEIGHT = 1000, 100

Numbers = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """One row of a signal, column by column.

    Attributes:
      values: float32 `[T]`, `NOT_MEASURED` where there is no point.
      low: float32 `[T]`: the lowest value of each column; NaN where none is finite.
      high: float32 `[T]`.
    """

    values: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, values: Floats, fields: tuple[str, ...], row: int) -> Curve:
        """Takes a row out of `[T, rows, fields]`; a signal without extremes has no band."""
        line = values[:, row, 0]
        low, high = (
            values[:, row, fields.index(name)] if name in fields else line
            for name in ("min", "max")
        )
        return cls(line, low, high)

    @property
    def measured(self) -> Floats:
        """The values that were measured, NaN and infinities included."""
        return np.asarray(self.values[self.values != NOT_MEASURED])


def scale_of(curves: Sequence[Curve], limit: float | None = None) -> Scale:
    """Returns one scale for all curves, with room for the limit that they are held against."""
    parts = [part for curve in curves for part in (curve.values, curve.low, curve.high)]
    numbers = np.concatenate([part[part != NOT_MEASURED] for part in parts])
    if limit is not None and np.isfinite(numbers).any():
        numbers = np.append(numbers, limit)
    return scale_of_curve(numbers)


def plot(
    curves: Sequence[Curve],
    scale: Scale,
    *,
    title: str,
    about: str = "",
    spans: Sequence[tuple[float, float, str]] = (),
    limit: float | None = None,
    grid: Sequence[float] = (),
) -> Markup:
    """Returns an SVG.

    Args:
      curves: The first has a band from its lowest to its highest values.
      scale: For all of them.
      title: What is drawn, for those who do not see it.
      about: How it runs.
      spans: Start and end from 0 to 1, and a class: steps at which something held.
      limit: Drawn as a dashed line if the scale holds it.
      grid: Values at which to draw a faint line.
    """
    shapes: list[Markup | None] = [_span(*span) for span in spans]
    shapes += [_level(value, scale, "grid") for value in grid]
    shapes += [_path("band", _band(curve, scale)) for curve in curves[:1]]
    if limit is not None and scale.lo <= limit <= scale.hi:
        shapes.append(_level(limit, scale, "limit"))
    for tone, curve in enumerate(curves):
        shapes += [*_marks(curve), _path(f"line tone-{tone}", _line(curve, scale))]
    described = [element("title", title), element("desc", about) if about else None]
    return element(
        "svg",
        described,
        shapes,
        class_="plot",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
    )


def _span(start: float, end: float, kind: str) -> Markup:
    return element(
        "rect",
        class_=f"span {kind}",
        x=_short(WIDTH * start),
        y=0,
        width=_short(WIDTH * (end - start)),
        height=HEIGHT,
    )


def _level(value: float, scale: Scale, kind: str) -> Markup:
    y = _short(HEIGHT * (1 - float(scale.place(value))))
    return element("line", class_=kind, x1=0, x2=WIDTH, y1=y, y2=y)


def _marks(curve: Curve) -> list[Markup]:
    """An upright line at each value that is not finite."""
    odd = ~np.isfinite(curve.values)
    return [
        element("line", class_="mark", x1=_short(x), x2=_short(x), y1=0, y2=HEIGHT)
        for x in _xs(curve)[odd]
    ]


def _line(curve: Curve, scale: Scale) -> str:
    """The line goes on over columns without a point, and breaks where one is not finite."""
    heights = _heights(curve.values, scale)
    path, pen, alone = "", "M", False
    for x, y, value in zip(_xs(curve), heights, curve.values, strict=True):
        if value == NOT_MEASURED:
            continue
        if np.isfinite(value):
            path += f"{pen}{_short(x)} {_short(y)}"
            pen, alone = "L", pen == "M"
        else:
            path += "h0" if alone else ""
            pen, alone = "M", False
    return path + ("h0" if alone else "")


def _band(curve: Curve, scale: Scale) -> str:
    inside = np.isfinite(curve.low) & np.isfinite(curve.high) & (curve.low != NOT_MEASURED)
    inside &= curve.high != NOT_MEASURED
    xs = _xs(curve)[inside]
    if (curve.low == curve.high)[inside].all():
        return ""
    edges = [
        *zip(xs, _heights(curve.high[inside], scale), strict=True),
        *reversed(list(zip(xs, _heights(curve.low[inside], scale), strict=True))),
    ]
    return f"M{'L'.join(f'{_short(x)} {_short(y)}' for x, y in edges)}Z"


def _path(kind: str, data: str) -> Markup | None:
    return element("path", class_=kind, d=data) if data else None


def _xs(curve: Curve) -> Numbers:
    columns = len(curve.values)
    return np.asarray((np.arange(columns) + 0.5) * WIDTH / columns)


def _heights(values: Floats, scale: Scale) -> Numbers:
    with np.errstate(invalid="ignore"):
        places = np.clip(scale.place(values), -0.02, 1.02)
    return np.asarray(HEIGHT * (1 - places))


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
