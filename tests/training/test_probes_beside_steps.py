"""Probes beside a step: a second look at its batch that changes nothing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import HalvesContext, TrialContext
from tensorboard_gradhealth.training.guard import MonitorWarning
from tensorboard_gradhealth.training.looks import step_trial
from tensorboard_gradhealth.training.looks.batch_tap import BatchTap
from tensorboard_gradhealth.training.looks.cadence import FIRST_STEPS
from tensorboard_gradhealth.training.looks.gradient_halves import NoiseEstimate
from tensorboard_gradhealth.training.looks.step_trial import StepTrial
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.logs import read_run
from tests.training import models


def measure(name: str, context: Any) -> dict[str, float]:
    signal = next(signal for signal in all_signals() if signal.spec.name == name)
    return dict(signal.measure(context))


@pytest.mark.parametrize(
    ("before", "after", "predicted", "expected"),
    [
        (1.0, 0.9, -0.1, 0.0),  # a straight line
        (1.0, 0.95, -0.1, 0.5),  # the bottom of a parabola
        (1.0, 1.2, -0.1, 3.0),  # beyond the other side of it
    ],
)
def test_overshoot(before: float, after: float, predicted: float, expected: float) -> None:
    found = measure("step_overshoot", TrialContext(before, after, predicted))
    assert found[""] == pytest.approx(expected)


@pytest.mark.parametrize("predicted", [0.0, 0.1, -1e-7, float("nan")])
def test_no_overshoot_is_told_of_a_step_uphill_or_lost_in_rounding(predicted: float) -> None:
    assert measure("step_overshoot", TrialContext(1.0, 0.9, predicted)) == {}


def test_noise_and_signal_of_gradients_are_told_apart() -> None:
    random = np.random.default_rng(0)
    true, deviation, examples = np.full(50, 0.3), 2.0, 64
    estimate = NoiseEstimate(["w"])
    for _ in range(200):
        gradients = true + deviation * random.normal(size=(examples, 50))
        parts = [gradients[: examples // 2], gradients[examples // 2 :]]
        squares = [[np.sum(part.mean(axis=0) ** 2)] for part in (gradients, *parts)]
        context = estimate.add(np.array(squares[0]), np.array(squares[1:]), examples)
    assert context.signal["w"] == pytest.approx(50 * 0.3**2, rel=0.15)
    assert context.noise["w"] == pytest.approx(50 * deviation**2, rel=0.15)
    noise_scale = measure("gradient_noise_scale", context)[""]
    assert noise_scale == pytest.approx(deviation**2 / 0.3**2, rel=0.2)


def test_what_is_all_noise_has_no_scale() -> None:
    context = HalvesContext({"a": -0.1, "b": 0.05}, {"a": 3.0, "b": 1.0})
    assert measure("gradient_noise_scale", context) == {}
    assert measure("gradient_snr", context) == {"b": 0.05}


def fitted(log_dir: Path | None, data: Any, *, epochs: int = 1, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12,))
    x = keras.layers.Dropout(0.3)(keras.layers.Dense(16, activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.BatchNormalization()(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss, **options)
    callbacks = [gradhealth.HealthCallback(log_dir, preset="full", verbose=0)] if log_dir else []
    model.fit(data, epochs=epochs, verbose=0, callbacks=callbacks)
    return model


def dataset(batches: int, size: int = 16) -> tf.data.Dataset:
    x, y = models.data(size * batches)
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(size)


MODES: dict[str, dict[str, Any]] = {
    "graph": {},
    "xla": {"jit_compile": True},
    "eager": {"run_eagerly": True},
    "4 steps per execution": {"steps_per_execution": 4},
}


def steps_at_once(mode: str) -> int:
    return int(MODES[mode].get("steps_per_execution", 1))


@pytest.mark.slow
def test_where_keras_cannot_split_an_execution_no_step_is_probed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keras, "__version__", "3.6.0")
    observed = fitted(tmp_path, dataset(31, size=128), **MODES["4 steps per execution"])
    assert int(observed.optimizer.iterations) == 31
    why = read_run(tmp_path).info().not_measured
    assert "before Keras 3.7" in why["step_overshoot"]
    assert {"gradient noise", "curvature"} <= why.keys()


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_probes_work_in_every_mode_and_lose_no_batch(mode: str, tmp_path: Path) -> None:
    data = dataset(31, size=128)  # of fewer examples, noise is all that is seen of a gradient
    observed = fitted(tmp_path, data, **MODES[mode])
    assert int(observed.optimizer.iterations) == 31
    run = read_run(tmp_path)
    assert not run.info().not_measured
    overshoot = run.series("step_overshoot")
    last = 30 if steps_at_once(mode) == 1 else 28  # where the last execution begins
    assert len(overshoot.steps) == sum(step <= last for step in FIRST_STEPS)
    assert (np.abs(overshoot.values) < 1.0).all()
    noise, ratio = run.series("gradient_noise_scale"), run.series("gradient_snr")
    assert noise.steps.tolist() == ratio.steps.tolist() == overshoot.steps.tolist()
    assert (noise.values > 0).all()
    told = ratio.values != NOT_MEASURED
    assert ratio.values.shape[1] == 6 and told.any(axis=(1, 2)).all()
    assert (ratio.values[told] > 0).all()


def test_overshoot_is_that_of_the_batch_of_the_step_and_its_dropout(tmp_path: Path) -> None:
    data = dataset(11)  # step 10 is the last and the only one that is probed
    observed = fitted(tmp_path, data)
    twin = fitted(None, data.take(10))
    [(x, y)] = data.skip(10)
    seeds = [v for v in twin.variables if "seed" in v.path]
    drawn = [seed.numpy() for seed in seeds]
    with tf.GradientTape() as tape:
        before = twin.compute_loss(x, y, twin(x, training=True))
    gradients = tape.gradient(before, twin.trainable_variables)
    changes = [
        end.numpy() - start.numpy()
        for end, start in zip(observed.trainable_variables, twin.trainable_variables, strict=True)
    ]
    twin.set_weights([*observed.get_weights()])
    for seed, value in zip(seeds, drawn, strict=True):
        seed.assign(value)
    after = twin.compute_loss(x, y, twin(x, training=True))
    predicted = sum(np.sum(g * d) for g, d in zip(gradients, changes, strict=True))
    expected = 1.0 - (float(after) - float(before)) / predicted
    [measured] = read_run(tmp_path).series("step_overshoot").values[:, 0, 0]
    assert measured == pytest.approx(expected, abs=2e-3)


def test_a_step_of_ones_own_is_not_probed_and_says_so(tmp_path: Path) -> None:
    class Own(keras.Model):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    inputs = keras.Input((12,))
    model = Own(inputs, keras.layers.Dense(3)(inputs))
    model.compile("sgd", "mse")
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", MonitorWarning)  # it is nobody's fault
        model.fit(np.ones((4, 12)), np.ones((4, 3)), verbose=0, callbacks=[callback])
    assert "train_step" in read_run(tmp_path).info().not_measured["step_overshoot"]


@pytest.mark.parametrize("preset", ["standard", "full"])
def test_names_that_no_graph_allows_leave_no_scope_behind(preset: str, tmp_path: Path) -> None:
    inputs = keras.Input((12,))
    model = keras.Model(inputs, keras.layers.Dense(3, name="<img src=x>")(inputs), name="hostile")
    model.compile("sgd", "mse", run_eagerly=True)
    callback = gradhealth.HealthCallback(tmp_path, preset=preset, verbose=0)
    x, y = np.ones((88, 12)), np.ones((88, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonitorWarning)  # the curvature takes a graph
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[callback])
    assert len(read_run(tmp_path).series("step_overshoot").steps) == 2
    later = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="d")], name="later")
    assert later.trainable_variables[0].path == "later/d/kernel"


@pytest.mark.parametrize(("batches", "steps"), [(1, 4), (4, 4), (6, 4), (3, 1)])
def test_a_tapped_execution_takes_the_batches_that_it_would_have_taken(
    batches: int, steps: int
) -> None:
    taken: list[Any] = []

    class Model:
        steps_per_execution = steps

        def train_function(self, iterator: Any) -> str:
            for _, batch in zip(range(steps), iterator, strict=False):
                taken.append(batch)
            return f"logs of {taken[-1]}"

    model: Any = Model()
    model.train_function = model.train_function
    function, seen = model.train_function, []
    BatchTap(model).catch(seen.append, lambda: seen.append(list(taken)))
    iterator = iter(range(batches))
    assert model.train_function(iterator) == f"logs of {min(batches, steps) - 1}"
    assert taken == list(range(min(batches, steps)))
    assert seen == [0, [0]]
    assert model.train_function is function
    assert list(iterator) == list(range(batches))[steps:]


def test_a_tap_at_the_end_of_the_data_ends_as_the_data_does() -> None:
    class Model:
        steps_per_execution = 1
        train_function: Any = staticmethod(lambda iterator: None)

    model: Any = Model()
    BatchTap(model).catch(print, lambda: None)
    with pytest.raises(StopIteration):
        model.train_function(iter([]))


def test_a_loss_that_the_steps_have_told_right_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    loss = StepTrial._loss
    monkeypatch.setattr(StepTrial, "_loss", lambda *args: calls.append(None) or loss(*args))
    overshoot = {}
    for agreed, computed in ((2, 2 + 2 + 1), (99, 2 + 2 + 2)):
        monkeypatch.setattr(step_trial, "TRIALS", agreed)
        calls.clear()
        fitted(tmp_path / str(agreed), dataset(31), run_eagerly=True)
        assert len(calls) == computed
        overshoot[agreed] = read_run(tmp_path / str(agreed)).series("step_overshoot")
    assert overshoot[2].steps.tolist() == [10, 20, 30]
    np.testing.assert_allclose(overshoot[2].values, overshoot[99].values, atol=1e-3)


def test_a_model_that_is_compiled_anew_is_tried_with_its_new_loss(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(1)])
    x, y = models.data(16 * 21)
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    for scale in (1.0, 100.0):
        model.compile(keras.optimizers.SGD(1e-4), lambda y, p, s=scale: s * (y - p) ** 2)
        model.fit(x, y, batch_size=16, verbose=0, callbacks=[callback])
    overshoot = read_run(tmp_path).series("step_overshoot")
    assert len(overshoot.steps) >= 3
    # Far from the bottom of a parabola the loss is all but a straight line.
    assert (np.abs(overshoot.values) < 0.2).all()
