"""`gradhealth.summary.*` with TensorFlow: what is logged, when, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth import summary
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.logs import read_run
from tests.summary.logs import last

NAN = float("nan")


@pytest.fixture
def variables() -> list[tf.Variable]:
    return [tf.Variable([[3.0, 4.0]], name="a/kernel"), tf.Variable([0.0], name="a/bias")]


def log(log_dir: Path, call: Callable[[], Any]) -> bool:
    with tf.summary.create_file_writer(str(log_dir)).as_default(step=0):
        return bool(call())


def test_gradients_carry_norms_counts_and_the_names_of_their_variables(
    tmp_path: Path, variables: list[tf.Variable]
) -> None:
    gradients = [tf.constant([[3.0, 4.0]]), tf.constant([12.0])]
    assert log(tmp_path, lambda: summary.gradients(gradients, variables))
    signals = last(tmp_path)
    assert signals["gradient_norm"].tolist() == [5.0, 12.0]
    assert signals["gradient_nonfinite"].tolist() == [0.0, 0.0]
    assert signals["gradient_global_norm"].tolist() == [13.0]
    rows = read_run(tmp_path).info().rows["variable"]
    assert [(row.name, row.layer, row.role, row.size) for row in rows] == [
        ("a/kernel", "a", "kernel", 2),
        ("a/bias", "a", "bias", 1),
    ]


def test_a_variable_without_gradient_is_not_measured(
    tmp_path: Path, variables: list[tf.Variable]
) -> None:
    log(tmp_path, lambda: summary.gradients([None, tf.constant([2.0])], variables))
    assert last(tmp_path)["gradient_norm"].tolist() == [NOT_MEASURED, 2.0]


def test_keras_variables_are_called_by_their_path(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="head")], name="net")
    gradients = [tf.ones(v.shape) for v in model.trainable_variables]
    log(tmp_path, lambda: summary.gradients(gradients, model.trainable_variables))
    rows = read_run(tmp_path).info().rows["variable"]
    assert [row.name for row in rows] == ["net/head/kernel", "net/head/bias"]


def test_variables_of_one_name_are_told_apart(tmp_path: Path) -> None:
    twins = [tf.Variable([1.0]), tf.Variable([1.0])]
    log(tmp_path, lambda: summary.gradients([tf.constant([1.0])] * 2, twins))
    names = [row.name for row in read_run(tmp_path).info().rows["variable"]]
    assert names == ["Variable", "Variable#2"]


@pytest.mark.parametrize("how", ["before", "changes"])
def test_updates_follow_from_the_values_before_or_from_the_changes(
    how: str, tmp_path: Path, variables: list[tf.Variable]
) -> None:
    before = [tf.identity(variable) for variable in variables]
    variables[0].assign([[3.0, 4.5]])
    variables[1].assign([1.0])
    changes = [variable - old for variable, old in zip(variables, before, strict=True)]
    given = {"before": before, "changes": changes}[how]
    log(tmp_path, lambda: summary.updates(variables, **{how: given}))
    signals = last(tmp_path)
    # The bias was all zero: there is no size to compare its change with.
    np.testing.assert_allclose(signals["update_ratio"], [0.1, NOT_MEASURED], rtol=1e-6)
    np.testing.assert_allclose(signals["weight_rms"], [np.sqrt(12.5), 0.0], rtol=1e-6)


def test_activations_are_measured_as_far_as_they_are_known(tmp_path: Path) -> None:
    before = tf.constant([[-1.0, 2.0], [-3.0, 4.0]])
    outputs = {"first": tf.nn.relu(before), "second": tf.tanh(before)}
    functions = {"second": tf.tanh}
    inputs = {"second": before}
    log(tmp_path, lambda: summary.activations(outputs, inputs=inputs, functions=functions))
    signals = last(tmp_path)
    assert signals["zero_fraction"].tolist() == [0.5, 0.0]
    assert signals["activation_gain"][0] == NOT_MEASURED
    assert signals["activation_gain"][1] == pytest.approx(
        np.std(np.tanh(before)) / np.std(before), rel=1e-5
    )
    slopes = 1 - np.tanh(before) ** 2
    assert signals["activation_slope"][1] == pytest.approx(np.sqrt(np.mean(slopes**2)), rel=1e-4)
    functions_logged = [row.function for row in read_run(tmp_path).info().rows["activation"]]
    assert functions_logged == ["", "tanh"]


@pytest.mark.parametrize("batch", [64, 512])
def test_units_are_dead_after_512_silent_samples_in_batches_of_any_size(
    batch: int, tmp_path: Path
) -> None:
    outputs = np.ones((batch, 4), np.float32)
    outputs[:, 0] = 0
    steps = 512 // batch
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        for step in range(steps):
            summary.activations({"hidden": tf.constant(outputs)}, step=step)
    series = read_run(tmp_path).series("dead_fraction").values[:, 0, 0]
    assert series.tolist() == [0.0] * (steps - 1) + [0.25]


def test_input_statistics_go_on_over_the_batches(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(5.0, 2.0, (300, 2)).astype(np.float32)
    samples[7, 1] = NAN
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        for step, batch in enumerate(np.split(samples, [100, 200])):
            summary.inputs(batch, step=step)
    records = read_run(tmp_path).records()
    assert [float(r.signals["input_nonfinite"][0, 0]) for r in records] == [1, 0, 0]
    count, mean, _, low, _, bad = records[-1].signals["input_features"].T
    assert count.tolist() == [300, 299] and bad.tolist() == [0, 1]
    np.testing.assert_allclose(mean, np.nanmean(samples, axis=0), rtol=1e-5)
    np.testing.assert_allclose(low, np.nanmin(samples, axis=0), rtol=1e-6)
    rows = read_run(tmp_path).info().rows["feature"]
    assert [row.name for row in rows] == ["x[:, 0]", "x[:, 1]"]


def test_a_compiled_loop_logs_every_step_and_names_once(
    tmp_path: Path, variables: list[tf.Variable]
) -> None:
    writer = tf.summary.create_file_writer(str(tmp_path))

    @tf.function
    def train_step(step: tf.Tensor) -> None:
        with writer.as_default(step=step):
            loss = tf.cast(step, tf.float32)
            summary.training(loss=loss, learning_rate=0.1)
            summary.gradients([loss * tf.ones([1, 2]), None], variables)
            summary.inputs(tf.ones([4, 2]))
            summary.activations({"hidden": tf.ones([4, 2])})

    for step in range(3):
        train_step(tf.constant(step, tf.int64))
    writer.close()
    run = read_run(tmp_path)
    assert run.series("loss").values[:, 0, 0].tolist() == [0.0, 1.0, 2.0]
    assert run.series("gradient_norm").values[2, 0, 0] == pytest.approx(2 * np.sqrt(2.0))
    assert run.series("input_features").values[:, 0, 0].tolist() == [4.0, 8.0, 12.0]
    assert sorted(run.info().rows) == ["activation", "feature", "run", "variable"]


def test_steps_that_are_not_recorded_are_not_logged(
    tmp_path: Path, variables: list[tf.Variable]
) -> None:
    writer = tf.summary.create_file_writer(str(tmp_path))

    @tf.function
    def train_step(step: tf.Tensor) -> tf.Tensor:
        with writer.as_default(step=step), tf.summary.record_if(step % 2 == 0):
            return summary.gradients([tf.ones([1, 2]), None], variables)

    recorded = [bool(train_step(tf.constant(step, tf.int64))) for step in range(4)]
    writer.close()
    assert recorded == [True, False, True, False]
    assert read_run(tmp_path).series("gradient_norm").steps.tolist() == [0, 2]


def test_without_a_writer_nothing_happens(variables: list[tf.Variable]) -> None:
    assert not summary.gradients([tf.ones([1, 2]), None], variables, step=0)
    assert not summary.training(loss=1.0, step=0)


def test_a_writer_without_a_step_is_refused(tmp_path: Path) -> None:
    with (
        tf.summary.create_file_writer(str(tmp_path)).as_default(),
        pytest.raises(ValueError, match="step"),
    ):
        summary.training(loss=1.0)


def test_other_rows_through_the_same_writer_are_refused(
    tmp_path: Path, variables: list[tf.Variable]
) -> None:
    with tf.summary.create_file_writer(str(tmp_path)).as_default(step=0):
        summary.gradients([tf.ones([1, 2]), None], variables)
        with pytest.raises(ValueError, match=r"one list of variables.*2 \('a/kernel', 'a/bias'\)"):
            summary.gradients([tf.ones([1, 2])], variables[:1])


KERNEL = tf.Variable([[1.0, 2.0]], name="a/kernel")

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "fewer gradients than variables": (
        lambda: summary.gradients([], [KERNEL]),
        "0 gradients and 1 variables",
    ),
    "no variables": (lambda: summary.gradients([], []), "no variable"),
    "no gradient at all": (lambda: summary.gradients([None], [KERNEL]), "no gradient but None"),
    "a gradient of another shape": (
        lambda: summary.gradients([tf.ones([2])], [KERNEL]),
        r"'a/kernel' as float32 \[2\].*float32 \[1, 2\].*same order",
    ),
    "a gradient that is no float": (
        lambda: summary.gradients([tf.constant([[1, 2]])], [KERNEL]),
        r"'a/kernel' as int32 \[1, 2\]",
    ),
    "updates of nothing": (lambda: summary.updates([KERNEL]), r"exactly one of before, changes"),
    "updates of both": (
        lambda: summary.updates([KERNEL], before=[KERNEL], changes=[KERNEL]),
        r"exactly one of before, changes; got \['before', 'changes'\]",
    ),
    "updates of another shape": (
        lambda: summary.updates([KERNEL], before=[tf.ones([3])]),
        r"before of 'a/kernel' as float32 \[3\]",
    ),
    "no activation": (lambda: summary.activations({}), "no activation"),
    "an activation that is no float": (
        lambda: summary.activations({"hidden": tf.constant([[1]])}),
        r"'hidden' as int32 \[1, 1\].*floats \[batch, \.\.\., units\]",
    ),
    "an activation without units": (
        lambda: summary.activations({"hidden": tf.ones([3])}),
        r"'hidden' as float32 \[3\]",
    ),
    "inputs of an unknown activation": (
        lambda: summary.activations({"a": tf.ones([1, 1])}, inputs={"b": tf.ones([1, 1])}),
        r"inputs for \['b'\].*\['a'\]",
    ),
    "inputs of another shape": (
        lambda: summary.activations({"a": tf.ones([1, 1])}, inputs={"a": tf.ones([1, 2])}),
        r"inputs of 'a' as float32 \[1, 2\]",
    ),
    "an unknown function": (
        lambda: summary.activations({"a": tf.ones([1, 1])}, functions={"b": tf.tanh}),
        r"functions for \['b'\]",
    ),
    "integer inputs": (lambda: summary.inputs(tf.constant([[1]])), r"'x' as int32 \[1, 1\]"),
    "no inputs": (lambda: summary.inputs({}), "no input"),
    "no numbers": (lambda: summary.training(), "give loss= or learning_rate="),
    "a loss per sample": (
        lambda: summary.training(loss=tf.ones([32])),
        r"loss as float32 \[32\]; it takes one number",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_words_that_help(case: str) -> None:
    call, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        call()
