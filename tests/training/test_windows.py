"""Steps become records: one by one at first, then in windows that grow with the run."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from tensorboard_gradhealth.training.host.windows import DENSE_STEPS, Fold, Window, WindowFolder
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


@pytest.mark.parametrize(
    ("budget", "steps", "expected"),
    [(100, 10_000, 78), (1500, 10_000, 458), (1500, 100_000, 791), (1500, 1_000_000, 1026)],
)
def test_a_run_of_any_length_stays_in_its_budget(budget: int, steps: int, expected: int) -> None:
    assert len(windows(steps, chunk=4096, budget=budget)) == expected < budget


def test_a_billion_steps_stay_in_the_budget() -> None:
    folder = WindowFolder(10, 1500)
    steps = records = 0
    while steps < 10**9:
        steps += folder.length
        records += 1
        folder.resume(1)
    assert records == 1360


def test_windows_double_and_never_shrink() -> None:
    lengths = [w.last_step - w.first_step + 1 for w in windows(100_000, 4096)[DENSE_STEPS:-1]]
    assert lengths == sorted(lengths)
    assert sorted(set(lengths)) == [10, 20, 40, 80, 160, 320, 640]


def test_a_resumed_log_goes_on_with_the_windows_it_would_have_had() -> None:
    whole = windows(5000, 100)
    folder = WindowFolder(10, 1500)
    folder.resume(100)
    start = whole[100].first_step
    rows = np.arange(start, 5000, dtype=np.float32)[:, np.newaxis]
    rest = [*folder.add(start, rows), *folder.flush()]
    assert [(w.first_step, w.last_step) for w in rest] == [
        (w.first_step, w.last_step) for w in whole[100:]
    ]


def after_dense_steps() -> WindowFolder:
    folder = WindowFolder(10, 1500)
    folder.resume(DENSE_STEPS)
    return folder


def test_a_window_does_not_claim_steps_that_were_lost() -> None:
    folder = after_dense_steps()
    rows = np.zeros((5, 1), np.float32)
    result = [*folder.add(100, rows), *folder.add(200, rows), *folder.flush()]
    assert [(w.first_step, w.last_step) for w in result] == [(100, 104), (200, 204)]


def test_a_window_ends_where_columns_are_added() -> None:
    folder = after_dense_steps()
    narrow, wide = np.zeros((5, 1), np.float32), np.zeros((5, 2), np.float32)
    result = [*folder.add(100, narrow), *folder.add(105, wide), *folder.flush()]
    assert [window.values.shape for window in result] == [(1, 3), (2, 3)]


def test_windows_that_are_not_half_full_end_only_so_many_trainings() -> None:
    folder = after_dense_steps()
    ended = 0
    for training in range(100):
        ended += len([*folder.add(4 * training, np.zeros((4, 1), np.float32)), *folder.end()])
    # A twentieth of the budget ends early; of the rest, two together make half a window.
    assert ended == 75 + 25 // 2


class Clock:
    """Steps that take a second each, if nobody says otherwise."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def timed(steps: int, seconds: float, budget: int = 1500, at_once: int = 1) -> list[Window]:
    """Windows of `seconds`, of steps of a second each, which arrive when they are due."""
    clock = Clock()
    folder = WindowFolder(datetime.timedelta(seconds=seconds), budget, clock)
    values = np.arange(steps, dtype=np.float32)[:, np.newaxis]
    result: list[Window] = []
    read = 0
    for step in range(0, steps, at_once):
        taken = step + at_once
        clock.now = float(taken)
        if taken - read >= min(folder.due(), 64):
            result += folder.add(read, values[read:taken])
            read = taken
    return [*result, *folder.add(read, values[read:]), *folder.flush()]


def test_windows_of_seconds_follow_the_same_dense_steps() -> None:
    lengths = [window.last_step - window.first_step + 1 for window in timed(500, 30)]
    assert lengths[: DENSE_STEPS + 3] == [1] * DENSE_STEPS + [30] * 3


def test_windows_of_seconds_hold_every_step_once_and_all_of_its_extremes() -> None:
    result = timed(3000, 7, at_once=3)
    covered = [s for w in result for s in range(w.first_step, w.last_step + 1)]
    assert covered == list(range(3000))
    assert all(w.values[0, 1:].tolist() == [w.first_step, w.last_step] for w in result)


def test_windows_of_seconds_double_like_those_of_steps() -> None:
    assert len(timed(100_000, 10)) == 791


def test_a_window_of_less_than_a_step_is_a_step() -> None:
    assert len(timed(60, 0.001)) == 60


def test_a_pause_ends_a_window_with_the_step_after_it() -> None:
    clock = Clock()
    folder = WindowFolder(datetime.timedelta(minutes=1), 1500, clock)
    folder.resume(DENSE_STEPS)
    rows = np.zeros((4, 1), np.float32)
    assert folder.due() > 64
    assert not list(folder.add(100, rows))
    clock.now = 61.0  # a validation
    assert folder.due() == 1
    [window] = folder.add(104, rows[:1])
    assert (window.first_step, window.last_step) == (100, 104)
