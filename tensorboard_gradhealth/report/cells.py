"""The cells of a map as pixels: colours that colour-blind people tell apart, patterns for the rest.

What is not a point on the scale (NaN, infinities, exactly 0 on a logarithmic scale, not measured)
has a pattern of its own, so that it is told by its shape as well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.report.png import Bytes
from tensorboard_gradhealth.report.scale import Scale
from tensorboard_gradhealth.report.timeline import Floats
from tensorboard_gradhealth.types import NOT_MEASURED

LEVELS = 240
SPECIALS = ("NaN", "+Inf", "\u2212Inf", "exactly 0", "not measured")
NAN, POSITIVE, NEGATIVE, ZERO, MISSING = range(LEVELS, LEVELS + len(SPECIALS))

ROW_HEIGHT = 16
"""Pixels, the gap to the next row included."""

VIRIDIS = (
    "#440154", "#482878", "#3e4989", "#31688e", "#26828e",
    "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
)  # fmt: skip
"""Control points of the scale of van der Walt and Smith, 2015: even steps, dark to light."""

_GROUNDS = ("#d3095aff", "#ff6d1fff", "#ff6d1fff", "#16181cff", "#8a919900")
_INKS = ("#f484adff", "#4a1800ff", "#ffe9dcff", "#8a9199ff", "#8a919970")

_GROUND, _INK = LEVELS, LEVELS + len(SPECIALS)
_GAP = _INK + len(SPECIALS)

Codes = npt.NDArray[np.int64]


def codes_of(values: Floats, scale: Scale) -> Codes:
    """Returns for each value its level, from 0 to `LEVELS` - 1, or one of the codes above."""
    with np.errstate(invalid="ignore"):
        places = np.clip(scale.place(np.nan_to_num(values)), 0, 1)
    codes = np.rint(places * (LEVELS - 1)).astype(np.int64)
    if scale.log:
        codes[values <= 0] = ZERO
    codes[np.isnan(values)] = NAN
    codes[values == np.inf] = POSITIVE
    codes[values == -np.inf] = NEGATIVE
    codes[values == NOT_MEASURED] = MISSING
    return codes


def paint(codes: Codes, column_width: int, row_height: int = ROW_HEIGHT, gap: int = 1) -> Bytes:
    """Returns `[rows * row_height, columns * column_width]` places in `palette()`.

    Args:
      codes: `[rows, columns]`.
      column_width: Pixels.
      row_height: Pixels.
      gap: Transparent pixels at the foot of each row.
    """
    large = codes.repeat(row_height, axis=0).repeat(column_width, axis=1)
    y, x = np.indices(large.shape)
    inked = np.select(
        [large == NAN, large == POSITIVE, large == NEGATIVE, large == ZERO, large == MISSING],
        [
            ((x + y) % 8 == 0) | ((x - y) % 8 == 0),
            y % 4 == 0,
            x % 4 == 0,
            (x % 5 == 2) & (y % 5 == 2),
            (x + y) % 6 == 0,
        ],
        False,
    )
    pixels = np.where(inked, large + len(SPECIALS), large)
    pixels[y % row_height >= row_height - gap] = _GAP
    return pixels.astype(np.uint8)


def palette() -> Bytes:
    """Returns `[colours, 4]`; what is transparent shows the page, be it light or dark."""
    stops = np.array([_channels(stop + "ff") for stop in VIRIDIS], np.float64)
    at = np.linspace(0, len(stops) - 1, LEVELS)
    levels = [np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(4)]
    others = [_channels(colour) for colour in (*_GROUNDS, *_INKS, "#00000000")]
    colours: Bytes = np.rint(np.vstack([np.stack(levels, axis=1), others])).astype(np.uint8)
    return colours


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5, 7)]
