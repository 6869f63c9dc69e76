"""`gradhealth.probe`: an identity that is measured while a step is recorded, and nothing else."""

from __future__ import annotations

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
from tests.logs import read_run
from tests.training import loops

X = tf.constant(np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32))

EVERY_MODE = ["eager", "graph", pytest.param("xla", marks=pytest.mark.slow)]


def train(log_dir: Path, mode: str, probed: Any, steps: int = 2) -> None:
    """Takes steps that pass `X` times a weight through `probed`."""
    weight = tf.Variable(tf.ones([6]), name="scale")
    optimizer = keras.optimizers.SGD(0.0)

    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(probed(X * weight))
        optimizer.apply(tape.gradient(loss, [weight]), [weight])
        return loss

    function = loops.MODES[mode](step)
    with gradhealth.HealthMonitor(
        log_dir, variables=[weight], optimizer=optimizer, verbose=0
    ) as monitor:
        for _ in range(steps):
            monitor.step(function)


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_an_output_is_measured_in_every_step(mode: str, tmp_path: Path) -> None:
    train(tmp_path, mode, lambda z: gradhealth.probe(tf.nn.relu(z), "ffn"))
    run = read_run(tmp_path)
    [row] = run.info().rows["activation"]
    assert (row.name, row.size) == ("ffn", 6)
    expected = np.mean(X <= 0)
    np.testing.assert_allclose(run.series("zero_fraction").values[:, 0, 0], [expected] * 2)
    assert not run.series("activation_gain").values.size


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_with_its_function_an_input_says_how_much_gets_through(mode: str, tmp_path: Path) -> None:
    train(tmp_path, mode, lambda z: tf.tanh(gradhealth.probe(4.0 * z, "squash", tf.tanh)))
    [_, record] = read_run(tmp_path).records()
    squashed = np.tanh(4.0 * X)
    slopes = 1 - squashed**2
    signals = {name: values[0, 0] for name, values in record.signals.items()}
    assert signals["activation_gain"] == pytest.approx(squashed.std() / np.std(4 * X), rel=1e-3)
    assert signals["activation_slope"] == pytest.approx(np.sqrt(np.mean(slopes**2)), rel=1e-3)
    assert signals["saturated_fraction"] == pytest.approx(np.mean(slopes < 0.01), abs=1e-3)
    [row] = read_run(tmp_path).info().rows["activation"]
    assert row.function == "tanh"


def test_a_name_that_comes_again_is_numbered(tmp_path: Path) -> None:
    def twice(z: tf.Tensor) -> tf.Tensor:
        return gradhealth.probe(gradhealth.probe(z, "block"), "block")

    train(tmp_path, "graph", twice)
    rows = read_run(tmp_path).info().rows["activation"]
    assert [row.name for row in rows] == ["block", "block (call 2)"]
    assert (read_run(tmp_path).series("zero_fraction").values != NOT_MEASURED).all()


def test_the_value_and_the_gradient_pass_unchanged() -> None:
    with tf.GradientTape() as tape:
        tape.watch(X)
        result = gradhealth.probe(X, "nothing", tf.tanh)
    assert result is X
    assert tape.gradient(result, X).numpy().all()
    assert gradhealth.probe("no tensor", "nothing") == "no tensor"


def test_a_step_that_fails_leaves_nothing_active(tmp_path: Path) -> None:
    def failing(z: tf.Tensor) -> tf.Tensor:
        gradhealth.probe(z, "block")
        raise KeyError("the data is gone")

    with pytest.raises(KeyError, match="the data is gone"):
        train(tmp_path, "eager", failing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradhealth.probe(tf.range(3), "what an active probe would complain about")


def test_what_cannot_be_measured_is_reported_and_passed_on(tmp_path: Path) -> None:
    with pytest.warns(MonitorWarning, match=r"probe `ids`.*int32 \(16,\)"):
        train(
            tmp_path,
            "eager",
            lambda z: z + tf.cast(gradhealth.probe(tf.range(16), "ids")[0], z.dtype),
        )


@keras.saving.register_keras_serializable("tests")
class Probed(keras.layers.Layer):  # type: ignore[misc]
    """A layer of somebody's own, whose activation only a probe can see."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 8), name="kernel")

    def call(self, x: Any) -> Any:
        return gradhealth.probe(tf.nn.relu(x @ self.kernel), "inside")


@pytest.mark.slow
@pytest.mark.parametrize("mode", loops.MODES)
def test_a_layer_with_a_probe_trains_predicts_saves_and_exports(mode: str, tmp_path: Path) -> None:
    loop = loops.Loop("mlp", mode)
    loop.model = keras.Sequential(
        [keras.Input((12,)), Probed(), keras.layers.Dense(3, activation="softmax")]
    )
    with gradhealth.HealthMonitor(
        tmp_path / "log", model=loop.model, optimizer=loop.optimizer, verbose=0
    ) as monitor:
        for x, y in loops.batches(3):
            monitor.step(loop.step, x, y)
        expected = loop.model.predict(x, verbose=0)
        loop.model.save(tmp_path / "saved.keras")
        loop.model.export(tmp_path / "exported", verbose=False)
    assert (read_run(tmp_path / "log").series("zero_fraction").values >= 0).all()
    loaded = keras.models.load_model(tmp_path / "saved.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(exported.serve(x), expected, rtol=1e-5)
    assert not [v for v in exported.variables if "gradhealth" in v.name]
