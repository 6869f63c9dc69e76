"""The course of a signal: the whole run in a bounded number of stretches, live and replayed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tensorboard_gradhealth.rules import Engine, Rule, View, replay
from tensorboard_gradhealth.rules._cases import case, kernel
from tensorboard_gradhealth.rules._course import COURSE, Course


def _course(values: list[float], window: int = 1) -> Course:
    course = Course(1)
    for i, value in enumerate(values):
        course.append(i * window, (i + 1) * window - 1, np.array([value], np.float32))
    return course


def test_a_short_run_is_kept_as_it_was() -> None:
    course = _course([3.0, 2.0, 1.0], window=10)
    assert course.means().ravel().tolist() == [3, 2, 1]
    assert course.steps().tolist() == [[0, 9], [10, 19], [20, 29]]


def test_a_long_run_stays_bounded_and_covers_every_step() -> None:
    course = _course([float(i) for i in range(10_000)])
    steps = course.steps()
    assert len(steps) == len(course.means()) <= COURSE
    assert steps[0, 0] == 0
    assert steps[-1, 1] == 9_999
    assert (steps[1:, 0] == steps[:-1, 1] + 1).all()


def test_each_stretch_holds_the_mean_of_its_steps() -> None:
    course = _course([float(i) for i in range(10_000)])
    np.testing.assert_allclose(course.means().ravel(), course.steps().mean(axis=1))


def test_records_count_by_their_steps() -> None:
    course, first, total = Course(1), 0, 0.0
    for i in range(500):
        last = first + i % 7
        course.append(first, last, np.array([i], np.float32))
        total += i * (last - first + 1)
        first = last + 1
    lengths = course.steps()[:, 1] - course.steps()[:, 0] + 1
    assert lengths @ course.means().ravel() == pytest.approx(total)


def test_stretches_are_about_equally_long_once_the_first_steps_are_far_behind() -> None:
    course = Course(1)
    for step in range(51):
        course.append(step, step, np.zeros(1, np.float32))
    for first in range(51, 100_000, 100):
        course.append(first, first + 99, np.zeros(1, np.float32))
    lengths = np.diff(course.steps()[:, 0])
    assert lengths.max() <= 4 * np.median(lengths)


def test_what_was_not_a_number_stays_so() -> None:
    values = [1.0] * 1000
    values[500] = float("nan")
    means = _course(values).means().ravel()
    assert np.isnan(means).sum() == 1
    assert (means[~np.isnan(means)] == 1).all()


RUN = case(
    "long",
    rows={"variable": (kernel("dense/kernel"),)},
    run={"loss": lambda s: s},
    variable={"update_ratio": lambda s: [0.1]},
    steps=4000,
)


def _recording(seen: list[list[float]]) -> Rule:
    def check(view: View) -> None:
        seen.append(view.course("loss").ravel().tolist())

    return Rule("recorder", "GH601", "loss", check, ("loss",), inhibited_by=())


def test_rules_see_the_same_course_live_and_replayed() -> None:
    live: list[list[float]] = []
    engine = Engine(RUN.info, [_recording(live)])
    for record in RUN.records:
        engine.feed(record)
    again: list[list[float]] = []
    other = Engine(RUN.info, [_recording(again)])
    for record in [dataclasses.replace(record) for record in RUN.records]:
        other.feed(record)
    assert live == again
    assert live[-1][0] < 100 < 3000 < live[-1][-1]


def test_signals_of_many_rows_keep_no_course() -> None:
    def check(view: View) -> None:
        view.course("update_ratio")

    rule = Rule("greedy", "GH601", "loss", check, ("update_ratio",), inhibited_by=())
    engine = Engine(RUN.info, [rule])
    engine.feed(RUN.records[0])
    (state,) = engine.states()
    assert "no course is kept of signal 'update_ratio'" in state.reason


@pytest.mark.parametrize("steps", [6, 60, 4000])
def test_a_run_that_only_has_a_loss_is_judged_without_fault(steps: int) -> None:
    run = case("bare", run={"loss": lambda s: 1 + 1 / (1 + s)}, steps=steps)
    findings, states = replay(run.info, run.records)
    assert [finding for finding in findings if finding.severity != "info"] == []
    assert [state for state in states if "failed" in state.reason] == []
