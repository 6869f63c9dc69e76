"""What the colours and patterns of a map mean; patterns are listed only where they occur."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.report import cells
from tensorboard_gradhealth.report.cells import Codes
from tensorboard_gradhealth.report.markup import Markup, element
from tensorboard_gradhealth.report.png import data_uri
from tensorboard_gradhealth.report.scale import Scale
from tensorboard_gradhealth.report.wording import quantity
from tensorboard_gradhealth.types import SignalSpec

_SWATCH = (18, 12)
_TICKS = 5


def map_legend(spec: SignalSpec, scale: Scale, present: Codes) -> Markup:
    """Returns the legend of a map in which these codes are present."""
    specials = [_special(int(code)) for code in present if code >= cells.LEVELS]
    bar = _bar(spec, scale) if (present < cells.LEVELS).any() else None
    return element("div", bar, element("ul", _usual_words(spec), specials), class_="legend")


def _bar(spec: SignalSpec, scale: Scale) -> Markup:
    ticks = scale.ticks(_TICKS) if scale.log else np.linspace(scale.lo, scale.hi, _TICKS).tolist()
    labels = [
        element("span", quantity(tick, "", spec.name), style=_centred(float(place)))
        for tick, place in zip(ticks, scale.place(ticks), strict=True)
    ]
    colours = element("div", _usual_band(spec, scale), class_="scale-bar")
    return element("div", colours, element("div", labels, class_="scale-ticks"), class_="scale")


def _centred(place: float) -> str:
    """In the middle of the bar, a label is centred; at an end it is flush with the bar."""
    return f"left:{100 * place:.1f}%;transform:translateX({-100 * place:.1f}%)"


def _special(code: int) -> Markup:
    width, height = _SWATCH
    pixels = cells.paint(np.array([[code]]), width, height, gap=0)
    swatch = element(
        "img", src=data_uri(pixels, cells.palette()), width=width, height=height, alt=""
    )
    return element("li", swatch, f" {cells.SPECIALS[code - cells.LEVELS]}")


def _usual_band(spec: SignalSpec, scale: Scale) -> Markup | None:
    if spec.healthy is None:
        return None
    low, high = spec.healthy
    start = 0.0 if low is None else float(np.clip(scale.place(low), 0, 1))
    end = 1.0 if high is None else float(np.clip(scale.place(high), 0, 1))
    if end <= start:
        return None
    return element("i", style=f"left:{100 * start:.1f}%;width:{100 * (end - start):.1f}%")


def _usual_words(spec: SignalSpec) -> Markup | None:
    if spec.healthy is None:
        return None
    low, high = (None if end is None else quantity(end, "", spec.name) for end in spec.healthy)
    if low is not None and high is not None:
        words = f"{low} to {high}"
    else:
        words = f"above {low}" if low is not None else f"up to {high}"
    return element("li", element("i", class_="usual-key"), f" usual in healthy training: {words}")
