"""Steps become records: one by one at first, then in windows that grow with the run."""

from __future__ import annotations

import numpy as np
import pytest

from tensorboard_gradhealth.training.windows import DENSE_STEPS, Fold, Window, WindowFolder
from tensorboard_gradhealth.types import NOT_MEASURED

NAN, INF = float("nan"), float("inf")


def fold(*values: float) -> list[float]:
    folded = Fold(1)
    folded.add(np.array(values, np.float32)[:, np.newaxis])
    return folded.result()[0].tolist()  # type: ignore[no-any-return]


def windows(steps: int, chunk: int, log_every: int = 10, budget: int = 1500) -> list[Window]:
    folder = WindowFolder(log_every, budget)
    values = np.arange(steps, dtype=np.float32)[:, np.newaxis]
    result = []
    for start in range(0, steps, chunk):
        result += folder.add(start, values[start : start + chunk])
    return result + list(folder.flush())


def test_fold_is_mean_minimum_and_maximum() -> None:
    assert fold(1, 2, 6) == [3, 1, 6]


def test_fold_carries_nan_in_the_mean_and_keeps_finite_extremes() -> None:
    mean, low, high = fold(1, NAN, 5)
    assert np.isnan(mean) and (low, high) == (1, 5)


@pytest.mark.parametrize(
    ("values", "mean"), [((1, INF), INF), ((1, -INF), -INF), ((INF, -INF), NAN)]
)
def test_fold_carries_infinity_in_the_mean(values: tuple[float, ...], mean: float) -> None:
    assert fold(*values)[0] == pytest.approx(mean, nan_ok=True)


def test_fold_of_nan_alone_has_no_extremes() -> None:
    assert np.isnan(fold(NAN)).all()


def test_fold_leaves_out_what_was_not_measured() -> None:
    assert fold(NOT_MEASURED, 4) == [4, 4, 4]
    assert fold(NOT_MEASURED) == [NOT_MEASURED] * 3


def test_first_steps_are_windows_of_their_own() -> None:
    first = windows(200, chunk=1)[:DENSE_STEPS]
    assert [(w.first_step, w.last_step) for w in first] == [(i, i) for i in range(DENSE_STEPS)]


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_windows_do_not_depend_on_how_steps_arrive(chunk: int) -> None:
    expected = [(w.first_step, w.last_step, w.values.tolist()) for w in windows(777, chunk=1)]
    result = [(w.first_step, w.last_step, w.values.tolist()) for w in windows(777, chunk=chunk)]
    assert result == expected


def test_every_step_is_in_exactly_one_window() -> None:
    covered = [
        s for w in windows(5000, 64, budget=200) for s in range(w.first_step, w.last_step + 1)
    ]
    assert covered == list(range(5000))


def test_a_long_run_stays_near_its_budget() -> None:
    assert len(windows(1_000_000, chunk=4096)) <= 1.1 * 1500


def test_a_window_does_not_claim_steps_that_were_lost() -> None:
    folder = WindowFolder(10, 1500)
    rows = np.zeros((5, 1), np.float32)
    result = [*folder.add(100, rows), *folder.add(200, rows), *folder.flush()]
    assert [(w.first_step, w.last_step) for w in result] == [(100, 104), (200, 204)]
