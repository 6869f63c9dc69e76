"""The binary answers of the HTTP API: their layout, and the parts that can be asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tensorboard_gradhealth.backend import blocks, queries
from tensorboard_gradhealth.backend.blocks import Part
from tensorboard_gradhealth.storage.reader import UnknownName
from tests.logs import flown, read_run, write_run
from tests.tensorboard_process import decode_series


def test_series_is_laid_out_for_typed_arrays(tmp_path: Path) -> None:
    write_run(tmp_path, range(3, 6))
    body = blocks.series(read_run(tmp_path), "gradient_norm", Part(["max", "mean"]))
    length = int.from_bytes(body[:4], "little")
    assert (4 + length) % 8 == 0
    got = decode_series(body)
    assert got.header == {
        "run": ".",
        "signal": "gradient_norm",
        "fields": ["max", "mean"],
        "rows": 2,
        "points": 3,
    }
    assert got.steps.tolist() == got.first_steps.tolist() == [3, 4, 5]
    np.testing.assert_allclose(got.values[0], [[3, 4, 5], [3.1, 4.1, 5.1]], rtol=1e-6)


def test_series_without_fields_has_all_of_them(tmp_path: Path) -> None:
    write_run(tmp_path, range(2))
    got = decode_series(blocks.series(read_run(tmp_path), "loss", Part()))
    assert got.header["fields"] == ["mean", "min", "max"]
    assert got.values.shape == (3, 1, 2)


def test_header_stays_aligned_for_every_length_of_name(tmp_path: Path) -> None:
    for run in ("a", "bb", "ccc", "dddd", "größe"):
        write_run(tmp_path / run, range(2))
        got = decode_series(blocks.series(read_run(tmp_path, run), "loss", Part()))
        assert got.header["run"] == run
        assert got.steps.tolist() == [0, 1]


def test_an_answer_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, range(100))
    monkeypatch.setattr(blocks, "MAX_BYTES", 2_400)
    got = decode_series(blocks.series(read_run(tmp_path), "gradient_norm", Part()))
    assert got.values.nbytes == 2_400
    assert (got.first_steps[0], got.steps[-1]) == (0, 99)
    small = decode_series(blocks.series(read_run(tmp_path), "gradient_norm", Part(points=7)))
    assert small.header["points"] == 7


@pytest.mark.parametrize("fields", [["nope"], [""], ["mean", "nope"]])
def test_unknown_field_is_answered_with_the_known_ones(tmp_path: Path, fields: list[str]) -> None:
    write_run(tmp_path, range(2))
    with pytest.raises(queries.BadArgument, match="it has: mean, min, max"):
        blocks.series(read_run(tmp_path), "loss", Part(fields))


def test_rows_points_and_steps_can_be_chosen(tmp_path: Path) -> None:
    write_run(tmp_path, range(100))
    part = Part(["max"], rows=[1], points=2, steps=(10, 49))
    got = decode_series(blocks.series(read_run(tmp_path), "gradient_norm", part))
    assert got.first_steps.tolist() == [10, 30]
    assert got.steps.tolist() == [29, 49]
    np.testing.assert_allclose(got.values, [[[29.1, 49.1]]], rtol=1e-6)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (Part(rows=[2]), "no row 2; it has rows 0 to 1"),
        (Part(rows=[-1]), "no row -1"),
        (Part(points=0), "points is 0; give a whole number from 1"),
    ],
)
def test_parts_that_are_not_there_are_refused(part: Part, sentence: str, tmp_path: Path) -> None:
    write_run(tmp_path, range(2))
    with pytest.raises(queries.BadArgument, match=sentence):
        blocks.series(read_run(tmp_path), "gradient_norm", part)


@pytest.mark.parametrize("name", ["dead_units", "loss_spike"])
def test_flight_is_laid_out_like_a_series_with_a_point_per_step(name: str, tmp_path: Path) -> None:
    got = decode_series(blocks.flight(flown(tmp_path), name, "gradient_norm"))
    assert got.header == {
        "run": ".",
        "finding": name,
        "signal": "gradient_norm",
        "fields": ["value"],
        "rows": 2,
        "points": 5,
    }
    assert got.steps.tolist() == got.first_steps.tolist() == [3, 4, 5, 6, 7]
    assert len(set(got.wall_times)) == 1 and got.wall_times[0] > 100
    expected = [[3, 4, 5, 6, 7], [3.1, 4.1, 5.1, 6.1, 7.1]]
    np.testing.assert_allclose(got.values[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "signal", "known"),
    [("nope", "loss", "dead_units, loss_spike"), ("dead_units", "nope", "gradient_norm, loss")],
)
def test_flight_that_does_not_exist_is_answered_with_those_that_do(
    name: str, signal: str, known: str, tmp_path: Path
) -> None:
    with pytest.raises(UnknownName, match=f"'nope'.*{known}"):
        blocks.flight(flown(tmp_path), name, signal)
