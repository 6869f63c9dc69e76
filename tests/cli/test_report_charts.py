"""The parts that charts and maps of the report are made of."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from tensorboard_gradhealth.report import cells, wording
from tensorboard_gradhealth.report.plot import Curve, plot
from tensorboard_gradhealth.report.png import png
from tensorboard_gradhealth.report.scale import Scale, scale_of_curve, scale_of_map
from tensorboard_gradhealth.report.timeline import MOST_COLUMNS, Timeline, held
from tensorboard_gradhealth.storage.reader import Series
from tensorboard_gradhealth.types import FOLDED, NOT_MEASURED


def _series(steps: range, values: np.ndarray) -> Series:
    at = np.array(steps, np.int64)
    return Series(at, at, np.zeros(len(at)), values.astype(np.float32)[:, None, None].repeat(3, 2))


def test_signals_of_any_cadence_share_the_columns() -> None:
    often = _series(range(6), np.arange(6.0))
    seldom = _series(range(0, 6, 3), np.array([7.0, 8.0]))
    timeline = Timeline.of([often, seldom])
    placed = timeline.place(seldom, FOLDED)[:, 0, 0]
    empty = NOT_MEASURED
    assert placed.tolist() == [7.0, empty, empty, 8.0, empty, empty]
    assert held(placed[:, np.newaxis])[:, 0].tolist() == [7.0, 7.0, 7.0, 8.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ([1, 4], [None, 1, 1, 1, 4, 4, 4, None, None, None]),
        ([0, 1, 2, 5, 6, 7], [0, 1, 2, None, None, 5, 6, 7, None, None]),  # a gap is a gap
        ([0, 1, 2, 3, 4, 6, 8], [0, 1, 2, 3, 4, 4, 6, 6, 8, 8]),  # sampled ever more seldom
        ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5, None, None, None, None]),
        ([3], [None, None, None, 3, None, None, None, None, None, None]),
    ],
)
def test_between_two_samples_the_last_one_holds(at: list[int], expected: list[float]) -> None:
    values = np.full((10, 1), NOT_MEASURED, np.float32)
    values[at, 0] = at
    shown = [None if value == NOT_MEASURED else value for value in held(values)[:, 0].tolist()]
    assert shown == expected


def test_of_a_long_log_neighbours_are_joined_and_no_extreme_is_lost() -> None:
    values = np.ones(1000)
    values[417] = 9.0
    series = _series(range(1000), values)
    timeline = Timeline.of([series])
    placed = timeline.place(series, FOLDED)
    assert placed.shape == (MOST_COLUMNS, 1, 3)
    assert placed[:, 0, FOLDED.index("max")].max() == 9.0
    start, end = timeline.span(417, 417) or (0, 0)
    column = int(placed[:, 0, 2].argmax())
    assert start * MOST_COLUMNS == pytest.approx(column)
    assert end * MOST_COLUMNS == pytest.approx(column + 1)


def test_steps_that_are_not_in_the_log_have_no_place() -> None:
    timeline = Timeline.of([_series(range(10), np.ones(10))])
    assert timeline.span(20, 30) is None
    assert timeline.span(5, 30) == (0.5, 1.0)


def test_ticks_are_round_steps() -> None:
    timeline = Timeline.of([_series(range(53), np.ones(53))])
    assert [step for _, step in timeline.ticks()] == [0, 10, 15, 25, 35, 45, 50]


def test_a_curve_breaks_where_it_is_not_finite_and_goes_on_where_nothing_was_measured() -> None:
    values = np.array([1, NOT_MEASURED, 2, np.nan, 3, np.inf, 2], np.float32)
    drawing = plot([Curve(values, values, values)], Scale(False, 0, 4), title="Loss")
    [line] = [part for part in drawing.split("<path") if "tone-0" in part]
    assert line.count("M") == 3
    assert line.count("L") == 1
    assert line.count("h0") == 2
    assert drawing.count('class="mark"') == 2
    assert "<title>Loss</title>" in drawing


def test_a_band_runs_from_the_lowest_to_the_highest_value() -> None:
    flat = np.ones(2, np.float32)
    drawing = plot([Curve(flat, flat * 0, flat * 2)], Scale(False, 0, 2), title="Loss")
    assert 'class="band" d="M250 0L750 0L750 100L250 100Z"' in drawing


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([], Scale(False, 0, 1)),
        ([np.nan, np.inf], Scale(False, 0, 1)),
        ([5.0, 5.0], Scale(False, 4.5, 5.5)),
        ([0.0, 0.0], Scale(False, -1, 1)),
        ([0.0, 100.0], Scale(False, -8, 108)),
    ],
)
def test_every_curve_has_a_scale_with_room(values: list[float], scale: Scale) -> None:
    found = scale_of_curve(values)
    assert found.log == scale.log
    assert (found.lo, found.hi) == pytest.approx((scale.lo, scale.hi))


def test_more_than_two_decades_are_logarithmic() -> None:
    scale = scale_of_curve([1e-3, 1.0])
    assert scale.log
    assert scale.ticks() == [1e-3, 0.1]
    assert scale.place([1e-3, 1.0]) == pytest.approx([0.0535714, 0.9464286])


def test_a_map_of_shares_goes_from_0_to_1_and_one_of_norms_over_decades() -> None:
    assert scale_of_map([0.2, 0.4], log=False) == Scale(False, 0.0, 1.0)
    assert scale_of_map([0.0, 2e-4, 3.0, np.inf], log=True) == Scale(True, 1e-4, 10.0)
    assert scale_of_map([np.nan], log=True) == Scale(True, 1e-3, 1.0)


def test_each_kind_of_cell_has_a_code_of_its_own() -> None:
    values = np.array([1e-3, 1.0, 0.0, np.nan, np.inf, -np.inf, NOT_MEASURED], np.float32)
    codes = cells.codes_of(values, Scale(True, 1e-3, 1.0))
    assert codes.tolist() == [
        0,
        cells.LEVELS - 1,
        cells.ZERO,
        cells.NAN,
        cells.POSITIVE,
        cells.NEGATIVE,
        cells.MISSING,
    ]


def test_what_is_not_on_the_scale_is_told_apart_by_its_pattern() -> None:
    codes = np.arange(cells.LEVELS, cells.LEVELS + len(cells.SPECIALS))
    painted = [cells.paint(np.array([[code]]), 16, 16, gap=0) != code for code in codes]
    assert all(0 < inked.sum() < inked.size for inked in painted)
    assert len({inked.tobytes() for inked in painted}) == len(codes)


def test_the_scale_of_colours_grows_lighter_all_the_way() -> None:
    levels = cells.palette()[: cells.LEVELS, :3] @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(levels) > -0.5).all()
    assert levels[-1] - levels[0] > 180


def test_a_picture_is_a_valid_png() -> None:
    pixels = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    palette = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 0, 0]], np.uint8)
    data = png(pixels, palette)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (3, 2)
    assert zlib.decompress(chunks[b"IDAT"]) == b"\x00\x00\x01\x02\x00\x02\x01\x00"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "\u2212Inf"),
        (0.0, "0"),
        (-0.5, "\u22120.5"),
        (1234.5, "1,234"),
        (3.14159e-5, "3.14e-5"),
        (2e6, "2e6"),
        (7.0, "7"),
    ],
)
def test_numbers_are_as_short_as_they_can_be_read(value: float, words: str) -> None:
    assert wording.number(value) == words


def test_shares_are_percent_and_units_stand_behind_what_is_finite() -> None:
    assert wording.quantity(0.943, "", "dead_fraction") == "94.3 %"
    assert wording.quantity(2.0, "loss", "loss") == "2 loss"
    assert wording.quantity(float("nan"), "loss", "loss") == "NaN"
    assert wording.moment(1e300) == "at an unknown time"
