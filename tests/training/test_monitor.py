"""`HealthMonitor` as people use it: every kind of step, two optimizers, mistakes, interruptions."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.training.guard import MonitorWarning
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.effort import of_users
from tests.logs import read_run
from tests.training import loops, models


def watch(log_dir: Path, loop: loops.Loop, **options: Any) -> gradhealth.HealthMonitor:
    options = {"verbose": 0, "model": loop.model, "optimizer": loop.optimizer, **options}
    return gradhealth.HealthMonitor(log_dir, **options)


@pytest.mark.slow
@pytest.mark.parametrize("mode", loops.MODES)
@pytest.mark.parametrize("name", ["mlp", "cnn", "nested", "subclassed"])
def test_every_step_of_every_kind_is_measured(name: str, mode: str, tmp_path: Path) -> None:
    loop = loops.Loop(name, mode)
    with watch(tmp_path, loop) as monitor:
        losses = [float(monitor.step(loop.step, x, y)) for x, y in loops.batches(5)]
    run = read_run(tmp_path)
    assert set(run.info().not_measured) == loops.UNMEASURED
    assert run.series("loss").steps.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(run.series("loss").values[:, 0, 0], losses, rtol=1e-6)
    expected = len(loop.model.trainable_variables)
    for signal in ("gradient_norm", "update_ratio", "weight_rms"):
        values = run.series(signal).values
        assert values.shape[:2] == (5, expected)
        assert (values[1:, ::2] != NOT_MEASURED).all(), signal
    activations = run.series("zero_fraction").values
    assert activations.size and (activations != NOT_MEASURED).all()
    assert run.series("input_features").values[-1, :, 0].tolist() == [250.0] * 12
    assert not [finding for finding in monitor.findings if finding.severity != "info"]


@pytest.mark.slow
def test_gradient_norms_are_those_of_the_step_itself(tmp_path: Path) -> None:
    loop, twin = loops.Loop("residual", "graph"), loops.Loop("residual", "eager")
    [(x, y)] = loops.batches(1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(y, twin.model(x, training=True))
        )
    expected = [np.linalg.norm(g) for g in tape.gradient(loss, twin.model.trainable_variables)]
    with watch(tmp_path, loop) as monitor:
        monitor.step(loop.step, x, y)
    [record] = read_run(tmp_path).records()
    np.testing.assert_allclose(record.signals["gradient_norm"][:, 0], expected, rtol=1e-4)
    assert record.signals["gradient_global_norm"][0, 0] == pytest.approx(
        np.linalg.norm(expected), rel=1e-4
    )
    assert record.signals["learning_rate"][0, 0] == pytest.approx(1e-3)


def test_the_learning_rate_is_the_one_that_the_step_used(tmp_path: Path) -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.4, 0.2, 0.1])
    variable = tf.Variable([1.0], name="w")
    optimizer = keras.optimizers.SGD(schedule)
    with gradhealth.HealthMonitor(
        tmp_path, variables=[variable], optimizer=optimizer, verbose=0
    ) as monitor:
        for _ in range(3):
            monitor.step(lambda: (optimizer.apply([tf.ones([1])], [variable]), 0.5)[1])
    rates = read_run(tmp_path).series("learning_rate").values[:, 0, 0]
    np.testing.assert_allclose(rates, [0.4, 0.2, 0.1], rtol=1e-6)


def test_plain_variables_are_enough(tmp_path: Path) -> None:
    w, b = tf.Variable([[3.0], [4.0]], name="line/kernel"), tf.Variable([0.0], name="line/bias")
    optimizer = keras.optimizers.SGD(0.1)

    @tf.function
    def step(x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(x @ w + b)
        optimizer.apply(tape.gradient(loss, [w, b]), [w, b])
        return {"loss": loss}

    with gradhealth.HealthMonitor(
        tmp_path, variables=[w, b], optimizer=optimizer, verbose=0
    ) as monitor:
        assert set(monitor.step(step, tf.ones([1, 2]))) == {"loss"}
    run = read_run(tmp_path)
    assert [row.name for row in run.info().rows["variable"]] == ["line/kernel", "line/bias"]
    [record] = run.records()
    assert record.signals["loss"][0, 0] == 7.0
    assert record.signals["gradient_norm"][:, 0].tolist() == pytest.approx([2**0.5, 1.0])
    assert record.signals["update_ratio"][0, 0] == pytest.approx(0.1 * 2**0.5 / 5)


@pytest.mark.slow
def test_a_step_with_two_optimizers_is_one_step(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = models.mlp()
    first, second = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.01)

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, model(x)))
        variables = model.trainable_variables
        gradients = tape.gradient(loss, variables)
        first.apply(gradients[:4], variables[:4])
        second.apply(gradients[4:], variables[4:])
        return loss

    with gradhealth.HealthMonitor(
        tmp_path, model=model, optimizer=[first, second], verbose=0
    ) as monitor:
        for x, y in loops.batches(3):
            monitor.step(step, x, y)
    norms = read_run(tmp_path).series("gradient_norm").values
    assert norms.shape[:2] == (3, 10) and (norms > 0).all()
    total = read_run(tmp_path).series("gradient_global_norm").values[:, 0, 0]
    np.testing.assert_allclose(total, np.linalg.norm(norms[..., 0], axis=1), rtol=1e-5)


def test_a_scaled_loss_is_unscaled_in_the_log(tmp_path: Path) -> None:
    variable = tf.Variable([1.0], name="w")
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=8.0)

    @tf.function
    def step() -> tf.Tensor:
        optimizer.apply([8.0 * tf.ones([1])], [variable])
        return tf.constant(1.0)

    with gradhealth.HealthMonitor(
        tmp_path, variables=[variable], optimizer=optimizer, verbose=0
    ) as monitor:
        for _ in range(2):
            monitor.step(step)
    run = read_run(tmp_path)
    assert run.series("gradient_norm").values[:, 0, 0].tolist() == [1.0, 1.0]
    assert run.series("learning_rate").values[:, 0, 0].tolist() == [0.5, 0.5]
    assert run.info().facts["loss_scaled"]


def test_only_the_signals_that_were_asked_for_are_measured(tmp_path: Path) -> None:
    loop = loops.Loop("residual", "eager")
    with watch(tmp_path, loop, signals=["loss", "learning_rate"]) as monitor:
        monitor.step(loop.step, *loops.batches(1)[0])
    run = read_run(tmp_path)
    assert sorted(run.records()[0].signals) == ["learning_rate", "loss"]
    assert not run.info().not_measured  # what was not asked for is no fault


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_the_loss_can_be_handed_in_from_inside_the_step(mode: str, tmp_path: Path) -> None:
    variable, optimizer = tf.Variable([1.0], name="w"), keras.optimizers.SGD(0.1)
    monitor = gradhealth.HealthMonitor(
        tmp_path, variables=[variable], optimizer=optimizer, verbose=0
    )

    def step() -> tuple[str, int]:
        monitor.loss(2.0 * variable[0])
        optimizer.apply([tf.ones([1])], [variable])
        return "not", 1

    function = loops.MODES[mode](step) if mode == "eager" else tf.function(lambda: step()[1])
    for _ in range(2):
        monitor.step(function)
    monitor.close()
    losses = read_run(tmp_path).series("loss").values[:, 0, 0]
    np.testing.assert_allclose(losses, [2.0, 1.8], rtol=1e-6)
    assert "loss" not in read_run(tmp_path).info().not_measured


@pytest.mark.slow
def test_a_function_that_was_traced_before_is_reported_once_with_the_remedy(
    tmp_path: Path,
) -> None:
    loop = loops.Loop("residual", "graph")
    [(x, y)] = loops.batches(1)
    loop.step(x, y)
    with watch(tmp_path, loop) as monitor:
        with pytest.warns(MonitorWarning, match=r"gradients.*traced before") as reports:
            monitor.step(loop.step, x, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            monitor.step(loop.step, x, y)
    assert len([r for r in reports if r.category is MonitorWarning]) == 1
    assert "make the monitor before" in read_run(tmp_path).info().not_measured["gradients"]

    fresh = tf.function(loop.step.python_function)
    with watch(tmp_path / "remedied", loop) as monitor:
        monitor.step(fresh, x, y)
    assert (read_run(tmp_path / "remedied").series("gradient_norm").values > 0).any()


def test_a_step_that_does_not_say_its_loss_is_reported(tmp_path: Path) -> None:
    variable, optimizer = tf.Variable([1.0], name="w"), keras.optimizers.SGD(0.1)
    with (
        gradhealth.HealthMonitor(
            tmp_path, variables=[variable], optimizer=optimizer, verbose=0
        ) as monitor,
        pytest.warns(MonitorWarning, match=r"measure loss.*monitor\.loss\(loss\)"),
    ):
        monitor.step(lambda: optimizer.apply([tf.ones([1])], [variable]))


@pytest.mark.slow
def test_a_learning_rate_that_is_too_high_is_found_in_a_compiled_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = loops.Loop("mlp", "xla")
    loop.optimizer.learning_rate = 1.0
    with watch(tmp_path, loop, verbose=1) as monitor:
        for x, y in loops.batches(60):
            monitor.step(loop.step, x, y)
    roots = [finding.rule for finding in monitor.findings if not finding.caused_by]
    assert roots == ["learning_rate_too_high"]
    assert gradhealth.diagnose(tmp_path) == monitor.findings
    assert "GH301" in capsys.readouterr().out


@pytest.mark.slow
def test_a_model_that_is_built_by_its_first_step_is_measured(tmp_path: Path) -> None:
    class Inner(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.hidden = keras.layers.Dense(8, activation="relu", name="hidden")
            self.head = keras.layers.Dense(3, activation="softmax", name="head")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.head(self.hidden(x))

    loop = loops.Loop("mlp", "graph")
    loop.model = Inner()
    with watch(tmp_path, loop) as monitor:
        for x, y in loops.batches(3):
            monitor.step(loop.step, x, y)
    run = read_run(tmp_path)
    assert [row.name for row in run.info().rows["activation"]] == ["hidden"]
    assert run.series("gradient_norm").values.shape[:2] == (3, 4)
    assert (run.series("zero_fraction").values >= 0).all()


def test_no_hook_is_left_behind(tmp_path: Path) -> None:
    loop = loops.Loop("residual", "eager")
    things = [loop.model, loop.optimizer, *loop.model.layers]
    before = [set(vars(thing)) for thing in things]
    watch(tmp_path, loop).close()
    assert [set(vars(thing)) for thing in things] == before


def test_what_the_step_raises_is_passed_on_and_the_next_step_is_measured(tmp_path: Path) -> None:
    loop = loops.Loop("residual", "eager")
    [(x, y)] = loops.batches(1)

    def failing() -> None:
        raise KeyError("the data is gone")

    with watch(tmp_path, loop) as monitor:
        with pytest.raises(KeyError, match="the data is gone"):
            monitor.step(failing)
        monitor.step(loop.step, x, y)
    assert len(read_run(tmp_path).records()) == 1


def test_a_fault_of_ours_is_reported_once_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = loops.Loop("residual", "eager")
    monitor = watch(tmp_path, loop)

    def broken(*_: Any) -> None:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(monitor._session._writer, "write_record", broken)
    [first, *others] = loops.batches(3)
    with pytest.warns(MonitorWarning, match="disk on fire"):
        monitor.step(loop.step, *first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x, y in others:
            assert np.isfinite(monitor.step(loop.step, x, y))
        monitor.close()
    assert int(loop.optimizer.iterations) == 3


@pytest.mark.slow
def test_a_new_monitor_goes_on_counting_from_the_optimizer(tmp_path: Path) -> None:
    loop = loops.Loop("residual", "eager")
    for _ in range(2):
        with watch(tmp_path, loop) as monitor:
            for x, y in loops.batches(3):
                monitor.step(loop.step, x, y)
    assert [record.step for record in read_run(tmp_path).records()] == list(range(6))


def test_a_second_monitor_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with (
        watch(tmp_path, loops.Loop("residual", "eager")),
        pytest.raises(ValueError, match=rf"{tmp_path.name}.*still open.*close\(\)"),
    ):
        watch(tmp_path, loops.Loop("residual", "eager"))


def test_a_second_monitor_on_the_same_optimizer_is_refused(tmp_path: Path) -> None:
    loop = loops.Loop("residual", "eager")
    with (
        watch(tmp_path / "a", loop),
        pytest.raises(ValueError, match=r"optimizer is being watched.*close\(\)"),
    ):
        watch(tmp_path / "b", loop)


def test_a_closed_monitor_takes_no_step(tmp_path: Path) -> None:
    monitor = watch(tmp_path, loops.Loop("residual", "eager"))
    monitor.close()
    monitor.close()
    with pytest.raises(RuntimeError, match="closed"):
        monitor.step(lambda: 0.0)


def test_a_step_inside_of_tf_function_is_refused(tmp_path: Path) -> None:
    with watch(tmp_path, loops.Loop("residual", "eager")) as monitor:
        inside = tf.function(lambda: monitor.step(lambda: 0.0), autograph=False)
        with pytest.raises(RuntimeError, match=r"inside a tf\.function.*outside"):
            inside()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_every": 0}, r"log_every=0.*whole number >= 1"),
        ({"budget": 9}, r"budget=9.*>= 100"),
        ({"preset": "quick"}, r"'quick'.*'light', 'standard'"),
        ({"signals": ["no_such_signal"]}, r"no_such_signal"),
        ({"ignore": {"no_such_rule": True}}, r"no_such_rule.*dead_units"),
        ({"limits": {"no_such_rule": {}}}, r"no_such_rule"),
        ({"log_dir": ""}, r"log_dir=''"),
        ({"model": None}, r"model= or variables="),
        ({"model": "resnet"}, r"'resnet'.*keras\.Model"),
        ({"optimizer": None}, r"optimizer=None.*Keras optimizer"),
        ({"optimizer": "adam"}, r"optimizer='adam'"),
        ({"optimizer": []}, r"optimizer=\[\]"),
    ],
)
def test_bad_arguments_are_refused_before_the_first_step(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    loop = loops.Loop("residual", "eager")
    given = {"log_dir": tmp_path, "model": loop.model, "optimizer": loop.optimizer, **arguments}
    with pytest.raises(ValueError, match=message):
        gradhealth.HealthMonitor(**given)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # on a busy machine, too
def test_final_weights_are_bit_identical() -> None:
    command = [sys.executable, "-m", "tests.training.loop_identity"]
    result = subprocess.run(command, env=of_users(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
