"""`gradhealth.summary.curvature`: what is logged of a known Hessian, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth import summary
from tensorboard_gradhealth.curvature import NotMeasurable
from tests.logs import read_run

CURVATURES = np.array([1.0, 2.0, 10.0, -3.0], np.float32)


def values(log_dir: Path) -> dict[str, list[float]]:
    run = read_run(log_dir)
    names = run.records()[-1].signals
    return {name: run.series(name).values[-1, :, 0].tolist() for name in names}


def parabola(variables: list[Any]) -> Callable[[Any], Any]:
    """A loss whose Hessian is diagonal and known, times a factor."""

    def loss_fn(factor: Any) -> Any:
        flat = tf.concat([tf.reshape(tf.convert_to_tensor(v), [-1]) for v in variables], axis=0)
        return 0.5 * factor * tf.reduce_sum(CURVATURES * flat**2)

    return loss_fn


@pytest.mark.parametrize("kind", [tf.Variable, keras.Variable])
def test_the_curvature_of_a_parabola(kind: Any, tmp_path: Path) -> None:
    variables = [kind(np.ones(2, "float32"), name="a"), kind(np.ones(2, "float32"), name="b")]
    loss_fn, optimizer = parabola(variables), keras.optimizers.SGD(0.1)
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        for step, factor in enumerate([1.5, 2.0]):
            written = summary.curvature(
                loss_fn, variables, batch=[tf.constant(factor)], optimizer=optimizer, step=step
            )
            assert bool(written)
    found = values(tmp_path)
    assert found["hessian_top_eigenvalue"] == pytest.approx([20.0], rel=1e-4)
    assert found["hessian_lowest_eigenvalue"] == pytest.approx([-6.0], rel=1e-4)
    assert found["hessian_trace"] == pytest.approx([20.0], rel=1e-3)
    assert found["mean_curvature"] == pytest.approx([5.0], rel=1e-3)
    assert found["hessian_layer_trace"] == pytest.approx([6.0, 14.0], rel=1e-3)
    gradient = 2.0 * CURVATURES
    expected = np.sum(2.0 * CURVATURES * gradient**2) / np.sum(gradient**2)
    assert found["gradient_curvature"] == pytest.approx([expected], rel=1e-4)
    assert found["stability_margin"] == pytest.approx([20.0 * 0.1 / 2.0], rel=1e-4)
    assert [v.numpy().tolist() for v in variables] == [[1.0, 1.0], [1.0, 1.0]]


def test_the_limit_is_named_and_so_is_the_reason_why_there_is_none(tmp_path: Path) -> None:
    variable = keras.Variable(np.ones(4, "float32"), name="a")
    loss_fn = parabola([variable])
    for optimizer in (keras.optimizers.SGD(0.1), keras.optimizers.Lion()):
        name = type(optimizer).__name__
        with tf.summary.create_file_writer(str(tmp_path / name)).as_default(step=0):
            summary.curvature(loss_fn, [variable], batch=[1.0], optimizer=optimizer)
            summary.training(loss=1.0)  # describes rows that others have described before
    known, unknown = (read_run(tmp_path / name).info() for name in ("SGD", "Lion"))
    assert known.facts == {"stability_limit": "gradient descent: 2/η"}
    assert known.not_measured == {}
    assert unknown.facts == {}
    assert "no sharpness makes them stable" in unknown.not_measured["stability_margin"]


def test_without_a_writer_nothing_is_computed() -> None:
    def loss_fn() -> Any:
        raise AssertionError

    assert not summary.curvature(loss_fn, [tf.Variable(1.0)], step=0)


def test_a_loss_without_second_derivative_is_refused_by_name(tmp_path: Path) -> None:
    variable = tf.Variable(np.ones((1, 2, 2, 3), "float32"), name="v")
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default(step=0), pytest.raises(NotMeasurable, match="LRNGrad"):
        summary.curvature(lambda: tf.reduce_sum(tf.nn.lrn(variable) ** 2), [variable])


def test_it_is_not_for_the_inside_of_a_function(tmp_path: Path) -> None:
    variable = tf.Variable(1.0, name="v")
    function = tf.function(lambda: summary.curvature(lambda: variable**2, [variable], step=0))
    with pytest.raises(RuntimeError, match=r"inside a tf\.function"):
        function()


def test_no_variables_are_refused() -> None:
    with pytest.raises(ValueError, match="no variables"):
        summary.curvature(lambda: 0.0, [])


def test_what_another_library_found_can_be_logged() -> None:
    pb = summary.curvature_pb(sharpness=3.0, layer_traces=[1.0, 2.0], stability_margin=0.5)
    tags = {value.tag.rpartition("/")[2] for value in pb.value}
    assert tags == {"hessian_top_eigenvalue", "hessian_layer_trace", "stability_margin"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing to log"),
        ({"sharpness": [1.0, 2.0]}, "one number"),
        ({"layer_traces": 1.0}, "one number for each variable"),
        ({"trace": "much"}, "numbers"),
    ],
)
def test_bad_numbers_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summary.curvature_pb(**given)
