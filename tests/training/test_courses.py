"""Fits that are resumed, changed on the way, repeated or doubled: no step is lost or made up."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import pytest

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.training.guard import MonitorWarning
from tensorboard_gradhealth.training.hooks.keras_hooks import hooked
from tests.effort import of_users
from tests.logs import read_run
from tests.training import models
from tests.training.courses import Meanwhile, fit


def steps(log_dir: Path) -> list[int]:
    return [record.step for record in read_run(log_dir).records()]


def linear(**options: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", **options)
    return model


def covered(log_dir: Path) -> list[int]:
    records = read_run(log_dir).records()
    return [step for each in records for step in range(each.first_step, each.step + 1)]


def observer(log_dir: Path, **options: Any) -> gradhealth.HealthCallback:
    return gradhealth.HealthCallback(log_dir, preset="light", verbose=0, **options)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # on a busy machine, too
def test_final_weights_are_bit_identical_whatever_happens_to_a_fit() -> None:
    command = [sys.executable, "-m", "tests.training.bit_identity", "courses"]
    result = subprocess.run(command, env=of_users(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]


@pytest.mark.parametrize("first", ["backup", "observer"])
def test_a_run_goes_on_from_the_step_that_a_backup_holds(first: str, tmp_path: Path) -> None:
    def die(model: keras.Model) -> None:
        raise RuntimeError("power cut")

    def train(*more: Any) -> None:
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        both = [backup, observer(tmp_path / "log")]
        fit(models.compiled("mlp"), [*both[:: 1 if first == "backup" else -1], *more], 5)

    with pytest.raises(RuntimeError, match="power cut"):
        train(Meanwhile(3, die))
    assert steps(tmp_path / "log") == list(range(15))
    train()
    assert steps(tmp_path / "log") == list(range(25))


def test_steps_that_only_accumulate_are_counted_when_a_run_goes_on(tmp_path: Path) -> None:
    model = models.mlp()
    optimizer = keras.optimizers.SGD(0.01, gradient_accumulation_steps=4)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    for _ in range(2):
        fit(model, [observer(tmp_path)], 1)
    assert steps(tmp_path) == list(range(10))


@pytest.mark.slow
def test_a_model_that_is_compiled_anew_is_described_anew(tmp_path: Path) -> None:
    model, callback = linear(), observer(tmp_path)
    fit(model, [callback], 1)
    model.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=70)
    fit(model, [callback], 14)
    facts = read_run(tmp_path).info().facts
    assert (facts["optimizer"], facts["steps_per_execution"]) == ("Adam", 70)
    assert covered(tmp_path) == list(range(75))


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [5, 3, 8])  # of the five steps of an epoch
def test_executions_of_several_steps_are_counted_whole(at_once: int, tmp_path: Path) -> None:
    callback = observer(tmp_path)
    fit(linear(steps_per_execution=at_once), [callback], 40)
    assert callback._steps == 200
    assert covered(tmp_path) == list(range(200))


def test_steps_of_an_interrupted_epoch_are_counted(tmp_path: Path) -> None:
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 2:
                raise KeyboardInterrupt

    model, callback = linear(), observer(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(model, [callback, Interrupt()], 1)
    fit(model, [callback], 2)
    assert callback._steps == 3 + 10


def test_a_second_callback_says_that_it_measures_nothing(tmp_path: Path) -> None:
    one, two = observer(tmp_path / "one"), observer(tmp_path / "two")
    with pytest.warns(MonitorWarning, match="another HealthCallback measures this fit"):
        fit(models.compiled("mlp"), [one, two], 2)
    assert steps(tmp_path / "one") == list(range(10))


def test_evaluate_and_predict_leave_the_model_alone(tmp_path: Path) -> None:
    model, callback = models.mlp(), observer(tmp_path)
    x, y = models.data()
    model.predict(x, verbose=0, callbacks=[callback])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.evaluate(x, y, verbose=0, callbacks=[callback])
    assert not hooked(model)
    fit(model, [callback], 1)
    assert steps(tmp_path) == list(range(5))


def test_the_fit_after_an_interrupted_one_is_not_measured(tmp_path: Path) -> None:
    def interrupt(model: keras.Model) -> None:
        raise KeyboardInterrupt

    model = models.compiled("mlp")
    with pytest.raises(KeyboardInterrupt):
        fit(model, [observer(tmp_path), Meanwhile(1, interrupt)], 2)
    assert hooked(model)
    fit(model, [], 1)
    assert not hooked(model)
    assert "fit" not in vars(model)


def test_a_fit_goes_on_with_the_traces_of_the_last_one(tmp_path: Path) -> None:
    traces: list[Any] = []

    class Counting(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            traces.append(x)
            return x

    model = keras.Sequential([keras.Input((12,)), Counting(), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    callback = observer(tmp_path)
    fit(model, [callback], 1)
    first = len(traces)
    for _ in range(3):
        fit(model, [callback], 1)
    assert len(traces) == first
    assert steps(tmp_path) == list(range(20))


def test_a_log_that_is_replaced_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for expected in (False, True):
        callback = gradhealth.HealthCallback(tmp_path, preset="light")
        fit(linear(), [callback], 1)
        assert ("holds the log of an earlier training" in capsys.readouterr().out) == expected
    assert steps(tmp_path) == list(range(5))


def test_labels_of_several_outputs_are_said_not_to_be_measured(tmp_path: Path) -> None:
    inputs = keras.Input((12,))
    heads = {name: keras.layers.Dense(3, "softmax", name=name)(inputs) for name in "ab"}
    model = keras.Model(inputs, heads)
    model.compile("sgd", dict.fromkeys("ab", "sparse_categorical_crossentropy"))
    x, y = models.data()
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    model.fit(x, {"a": y, "b": y}, verbose=0, callbacks=[callback])
    reasons = read_run(tmp_path).info().not_measured
    for signal in ("label_counts", "predicted_share", "expected_initial_loss"):
        assert "one tensor of labels" in reasons[signal]


def test_a_warning_points_to_the_line_that_trains_and_comes_with_every_run(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for name in ("a", "b"):
            callback = observer(tmp_path / name)
            callback._writer.write_record = lambda *_: 1 / 0
            fit(linear(), [callback], 1)
    ours = [each for each in told if each.category is MonitorWarning]
    assert len(ours) == 2
    assert {Path(each.filename).name for each in ours} == {"courses.py"}
