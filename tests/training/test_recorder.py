"""Measurements leave a compiled step through a ring and arrive in full."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.types import NOT_MEASURED


def make() -> tuple[StepRecorder, list[str]]:
    reports: list[str] = []
    return StepRecorder(8, reports.append), reports


def put_step(recorder: StepRecorder, value: tf.Tensor) -> None:
    recorder.begin()
    recorder.put("norm", ["a", "b"], tf.stack([value, 10.0 * value]))
    recorder.commit()
    recorder.end()


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_every_step_arrives_once_and_in_order(mode: str) -> None:
    recorder, _ = make()
    step = lambda value: put_step(recorder, value)  # noqa: E731
    if mode != "eager":
        step = tf.function(step, jit_compile=mode == "xla")
    for i in range(3):
        step(tf.constant(float(i)))
    first, rows = recorder.read()
    assert (first, rows.tolist()) == (0, [[0, 0], [1, 10], [2, 20]])
    step(tf.constant(3.0))
    first, rows = recorder.read()
    assert (first, rows.tolist()) == (3, [[3, 30]])


def test_the_oldest_steps_are_lost_when_the_ring_is_read_too_late() -> None:
    recorder, _ = make()
    for i in range(11):
        put_step(recorder, tf.constant(float(i)))
    first, rows = recorder.read()
    assert first == 3 and rows[:, 0].tolist() == list(range(3, 11))


def test_a_measurement_inside_a_branch_counts_only_where_the_branch_ran() -> None:
    recorder, _ = make()

    @tf.function
    def step(value: tf.Tensor) -> None:
        recorder.begin()
        recorder.put("always", ["a"], value[tf.newaxis])

        def branch() -> tf.Tensor:
            recorder.put("sometimes", ["a"], value[tf.newaxis])
            return True

        tf.cond(value > 1.0, branch, lambda: False)
        recorder.commit()
        recorder.end()

    for value in (0.0, 2.0, 1.0):
        step(tf.constant(value))
    _, rows = recorder.read()
    column = recorder.slots["sometimes", ("a",)].start
    assert rows[:, column].tolist() == [NOT_MEASURED, 2, NOT_MEASURED]


def put_late(recorder: StepRecorder) -> None:
    recorder.begin()
    recorder.put("late", ["x"], tf.constant([5.0]))
    recorder.commit()
    recorder.end()


def test_what_a_later_trace_adds_is_reported_and_the_rest_goes_on() -> None:
    recorder, reports = make()
    put_step(recorder, tf.constant(1.0))
    tf.function(lambda: put_late(recorder))()
    _, rows = recorder.read()
    assert rows.tolist() == [[1, 10], [NOT_MEASURED, NOT_MEASURED]]
    assert len(reports) == 1 and "late" in reports[0]


def test_what_a_later_eager_step_adds_finds_room() -> None:
    recorder, reports = make()
    put_step(recorder, tf.constant(1.0))
    put_late(recorder)
    _, rows = recorder.read()
    assert rows.tolist() == [[1, 10, NOT_MEASURED], [NOT_MEASURED, NOT_MEASURED, 5]]
    assert not reports


def test_what_a_later_trace_adds_finds_room_where_every_step_is_traced_anew() -> None:
    reports: list[str] = []
    recorder = StepRecorder(8, reports.append, grows=True)
    put_step(recorder, tf.constant(1.0))
    tf.function(lambda: put_late(recorder))()
    _, rows = recorder.read()
    assert rows.tolist() == [[1, 10, NOT_MEASURED], [NOT_MEASURED, NOT_MEASURED, 5]]
    assert not reports


def test_after_a_restart_other_measurements_are_kept_and_steps_go_on_counting() -> None:
    recorder, reports = make()
    put_step(recorder, tf.constant(1.0))
    recorder.read()
    recorder.restart()
    tf.function(lambda: put_late(recorder))()
    first, rows = recorder.read()
    assert (first, rows.tolist()) == (1, [[5]])
    assert not reports


def test_what_was_put_in_a_branch_and_outside_is_the_branchs_where_it_ran() -> None:
    recorder, _ = make()

    @tf.function
    def step(value: tf.Tensor) -> tf.Tensor:
        recorder.begin()
        recorder.put("norm", ["a"], tf.constant([7.0]))
        tf.cond(value > 1.0, lambda: recorder.put("norm", ["a"], value) or True, lambda: False)
        current = recorder.current("norm")
        assert recorder.current("other") is None
        recorder.commit()
        recorder.end()
        return current

    assert [step(tf.constant(value)).numpy().tolist() for value in (0.0, 2.0)] == [[7], [2]]
    assert recorder.read()[1].tolist() == [[7], [2]]


def test_nan_and_infinity_arrive_as_they_are() -> None:
    recorder, _ = make()
    put_step(recorder, tf.constant(float("nan")))
    put_step(recorder, tf.constant(float("inf")))
    _, rows = recorder.read()
    assert np.isnan(rows[0]).all() and np.isposinf(rows[1]).all()
