"""Joining windows loses no extreme and invents no number."""

from __future__ import annotations

import numpy as np
import pytest

from tensorboard_gradhealth.backend.binning import binned, within
from tensorboard_gradhealth.storage.reader import Series
from tensorboard_gradhealth.types import FOLDED, NOT_MEASURED


def windows(*last_steps: int) -> Series:
    """One row with the fields of `FOLDED`, all of them 0."""
    steps = np.array(last_steps)
    first_steps = np.append(0, steps[:-1] + 1)
    values = np.zeros((len(steps), 1, 3), np.float32)
    return Series(steps, first_steps, steps.astype(float), values)


def joined(field: str, values: list[float], steps: tuple[int, ...], points: int = 1) -> list[float]:
    series = windows(*steps)
    series.values[:, 0, FOLDED.index(field)] = values
    got = binned(series, FOLDED, points)
    return [float(value) for value in got.values[:, 0, FOLDED.index(field)]]


def test_windows_are_joined_without_gaps() -> None:
    got = binned(windows(0, 1, 2, 10, 20), FOLDED, 2)
    assert got.first_steps.tolist() == [0, 2]
    assert got.steps.tolist() == [1, 20]


def test_few_points_are_left_as_they_are() -> None:
    series = windows(0, 1, 2)
    assert binned(series, FOLDED, 3) is series


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        ("mean", [1, 4], 3.7),  # one step of 1 and nine of 4
        ("mean", [1, np.nan], np.nan),
        ("mean", [np.inf, 1], np.inf),
        ("mean", [np.inf, -np.inf], np.nan),
        ("mean", [2, NOT_MEASURED], 2),
        ("mean", [NOT_MEASURED, NOT_MEASURED], NOT_MEASURED),
        ("min", [1, -4], -4),
        ("min", [np.nan, 3], 3),
        ("min", [NOT_MEASURED, 3], 3),
        ("min", [np.nan, NOT_MEASURED], np.nan),
        ("max", [1, -4], 1),
        ("max", [np.nan, NOT_MEASURED], np.nan),
    ],
)
def test_joined_values(field: str, values: list[float], expected: float) -> None:
    [got] = joined(field, values, (0, 9))
    np.testing.assert_allclose(np.float32(got), np.float32(expected), rtol=1e-6)


def test_a_count_keeps_its_last_value() -> None:
    series = windows(0, 1, 2, 3)
    series.values[:, 0, 0] = [5, 6, 7, 8]
    assert binned(series, ("count", "a", "b"), 2).values[:, 0, 0].tolist() == [6, 8]


def test_windows_that_touch_the_steps_are_kept() -> None:
    assert within(windows(0, 9, 19, 29), 5, 10).steps.tolist() == [9, 19]


@pytest.mark.parametrize("field", ["mean", "min", "max"])
def test_a_gap_changes_nothing_for_the_rows_beside_it(field: str) -> None:
    """Rows that were measured throughout are joined in another way where all were."""
    random = np.random.default_rng(0)
    values = random.normal(size=(100, 3, 1)).astype(np.float32)
    steps = np.arange(100) * 3
    whole = Series(steps + 2, steps, steps.astype(float), values)
    values = values.copy()
    values[40:50, 1] = NOT_MEASURED
    gap = Series(steps + 2, steps, steps.astype(float), values)
    np.testing.assert_array_equal(
        binned(whole, (field,), 7).values[:, ::2], binned(gap, (field,), 7).values[:, ::2]
    )
