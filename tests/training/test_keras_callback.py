"""`HealthCallback` as people use it: every kind of model and mode, twice, saved, interrupted."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tensorboard_gradhealth as gradhealth
from demo import article
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.training.guard import MonitorWarning
from tests.effort import of_users
from tests.training import models
from tests.training.unmeasured import unmeasured


def read(log_dir: Path) -> RunReader:
    return RunReader(open_log_dir(log_dir), None, "", ".")


def fit(model: keras.Model, callback: Any, epochs: int = 2, **options: Any) -> None:
    x, y = models.data()
    options = {"batch_size": 50, "verbose": 0, **options}
    model.fit(x, y, epochs=epochs, callbacks=[callback], **options)


MODES: dict[str, dict[str, Any]] = {
    "graph": {},
    "xla": {"jit_compile": True},
    "eager": {"run_eagerly": True},
    "8 steps per execution": {"steps_per_execution": 8},
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", models.MODELS)
def test_every_step_of_every_model_is_measured(name: str, mode: str, tmp_path: Path) -> None:
    model = models.compiled(name, **MODES[mode])
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    fit(model, callback)
    run = read(tmp_path)
    records = run.records()
    assert [record.step for record in records] == list(range(8))
    info = run.info()
    names = {row.name for row in info.rows["variable"]}
    assert len(names) == len(model.trainable_variables)
    for record in records:
        norms = record.signals["gradient_norm"]
        assert norms.shape == (len(names), 3) and (norms > 0).any(axis=0).all()
    assert not unmeasured(info.not_measured)
    assert not any(finding.severity != "info" for finding in callback.findings)


def test_gradient_norms_are_those_of_the_step_itself(tmp_path: Path) -> None:
    import tensorflow as tf

    model, twin = models.compiled("residual"), models.compiled("residual")
    x, y = models.data(64)
    gradhealth_callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    model.fit(x, y, batch_size=64, shuffle=False, verbose=0, callbacks=[gradhealth_callback])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(y, twin(x, training=True))
        )
    expected = [np.linalg.norm(g) for g in tape.gradient(loss, twin.trainable_variables)]
    record = read(tmp_path).records()[0]
    np.testing.assert_allclose(record.signals["gradient_norm"][:, 0], expected, rtol=1e-4)
    assert record.signals["loss"][0, 0] == pytest.approx(float(loss), rel=1e-5)
    ratios = [
        np.linalg.norm(after - before) / np.linalg.norm(before)
        for before, after in zip(twin.get_weights(), model.get_weights(), strict=True)
    ]
    measured = record.signals["update_ratio"][:, 0]
    known = measured > 0
    assert known.sum() >= 4
    np.testing.assert_allclose(measured[known], np.array(ratios)[known], rtol=1e-3)


@pytest.mark.parametrize("class_weight", [None, {0: 0.51, 1: 25.0}])
def test_a_run_tells_whether_its_loss_is_weighted(
    class_weight: dict[int, float] | None, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    x, y = np.ones((40, 3), np.float32), np.arange(40) % 2
    callback = gradhealth.HealthCallback(tmp_path, preset="light", verbose=0)
    model.fit(x, y, class_weight=class_weight, callbacks=[callback], verbose=0)
    assert read(tmp_path).info().facts.get("sample_weights", False) == bool(class_weight)


def test_rows_carry_the_users_own_names(tmp_path: Path) -> None:
    fit(models.compiled("nested"), gradhealth.HealthCallback(tmp_path, verbose=0))
    rows = read(tmp_path).info().rows
    assert [row.name for row in rows["variable"]][-2:] == ["head/kernel", "head/bias"]
    # `block` is called twice: each call of its activation is measured by itself.
    assert [row.layer.rpartition("/")[2] for row in rows["activation"]] == ["up", "up"]
    assert rows["activation"][1].name == f"{rows['activation'][0].name} (call 2)"


def test_a_second_fit_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    model = models.compiled("mlp")
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    fit(model, callback)
    fit(model, callback)
    assert [record.step for record in read(tmp_path).records()] == list(range(16))


def test_a_new_process_goes_on_counting_from_the_optimizer(tmp_path: Path) -> None:
    model = models.compiled("mlp")
    fit(model, gradhealth.HealthCallback(tmp_path, verbose=0))
    fit(model, gradhealth.HealthCallback(tmp_path, verbose=0))
    assert [record.step for record in read(tmp_path).records()] == list(range(16))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "cnn", "residual", "nested"])
def test_the_model_saves_during_and_after_training(name: str, tmp_path: Path) -> None:
    model = models.compiled(name)
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "during.keras")
    callback = gradhealth.HealthCallback(tmp_path / "log", verbose=0)
    x, y = models.data()
    model.fit(x, y, verbose=0, callbacks=[callback, checkpoint])
    model.save(tmp_path / "after.keras")
    for path in ("during.keras", "after.keras"):
        loaded = keras.models.load_model(tmp_path / path)
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_no_hook_is_left_behind(tmp_path: Path) -> None:
    model = models.compiled("mlp")
    before = {id(thing): set(vars(thing)) for thing in [model, model.optimizer, *model.layers]}
    fit(model, gradhealth.HealthCallback(tmp_path, verbose=0))
    for thing in [model, model.optimizer, *model.layers]:
        added = set(vars(thing)) - before[id(thing)]
        assert not added & {"call", "train_step", "compute_loss", "apply", "update_step"}


def test_a_probe_inside_a_custom_layer_is_measured(tmp_path: Path) -> None:
    class Halving(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return gradhealth.probe(keras.ops.tanh(x), "halved") / 2

    model = keras.Sequential([keras.Input((12,)), Halving(), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    fit(model, gradhealth.HealthCallback(tmp_path, verbose=0))
    run = read(tmp_path)
    assert [row.name for row in run.info().rows["activation"]] == ["halved"]
    assert run.records()[0].signals["zero_fraction"][0, 0] == 0


@pytest.mark.slow
def test_hooks_of_an_interrupted_fit_are_replaced(tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    model = models.compiled("mlp")
    x, y = models.data()
    interrupted = gradhealth.HealthCallback(tmp_path / "a", verbose=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=0, callbacks=[interrupted, Stop()])
    fit(model, gradhealth.HealthCallback(tmp_path / "b", verbose=0))
    assert len(read(tmp_path / "b").records()) == 8


def test_a_fault_of_ours_is_reported_once_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.compiled("mlp")
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)

    def broken(*_: Any) -> None:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(callback._writer, "write_record", broken)
    with pytest.warns(MonitorWarning, match="disk on fire") as reports:
        fit(model, callback, epochs=3)
    assert len([r for r in reports if r.category is MonitorWarning]) == 1
    assert int(model.optimizer.iterations) == 12
    assert "train_step" not in vars(model)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_findings_do_not_depend_on_how_the_step_is_run(mode: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x, y = np.random.rand(100, 5), np.random.randint(0, 2, 100)
    model = article._classifier(5, keras.optimizers.Adam(1.0))
    options = {"jit_compile": False, **MODES[mode]}
    model.compile(keras.optimizers.Adam(1.0), "binary_crossentropy", **options)
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    model.fit(x, y, epochs=25, verbose=0, callbacks=[callback])
    roots = [finding.rule for finding in callback.findings if not finding.caused_by]
    assert roots == ["learning_rate_too_high"]
    assert gradhealth.diagnose(tmp_path) == callback.findings


@pytest.mark.slow
def test_a_finding_is_printed_once_on_lines_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(0)
    model = article._classifier(5, keras.optimizers.Adam(1.0))
    x, y = np.random.rand(100, 5), np.random.randint(0, 2, 100)
    model.fit(x, y, epochs=25, verbose=1, callbacks=[gradhealth.HealthCallback(tmp_path)])
    printed = capsys.readouterr().out
    headings = [line for line in printed.splitlines() if line.startswith(("ERROR", "WARNING"))]
    assert len([line for line in headings if "GH301" in line]) == 1
    assert printed.rstrip().splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_every": 0}, r"log_every=0.*whole number >= 1"),
        ({"log_every": -3}, r"log_every=-3"),
        ({"preset": "quick"}, r"'quick'.*'light', 'standard'"),
        ({"ignore": {"no_such_rule": True}}, r"no_such_rule.*dead_units"),
        ({"limits": {"dead_units": {"no_such_limit": 1}}}, r"no_such_limit"),
        ({"signals": ["loss", "heat"]}, r"heat.*'gradient_norm'"),
        ({"log_dir": ""}, r"log_dir=''"),
        ({"log_dir": None}, r"log_dir=None"),
    ],
)
def test_bad_arguments_are_refused_before_training(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        gradhealth.HealthCallback(**{"log_dir": tmp_path, **arguments})


def test_a_directory_that_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(OSError, match="file"):
        gradhealth.HealthCallback(tmp_path / "file" / "run")


def test_keras_need_not_wait_for_the_results_of_each_step() -> None:
    # It waits where any callback has this method; on an accelerator, that is at every step.
    assert (
        gradhealth.HealthCallback.on_train_batch_end is keras.callbacks.Callback.on_train_batch_end
    )


def test_a_copy_is_a_callback_of_the_same_arguments(tmp_path: Path) -> None:
    """As tuners make one for each trial."""
    copied = copy.deepcopy(gradhealth.HealthCallback(tmp_path, preset="light", verbose=0))
    fit(models.compiled("mlp"), copied)
    assert "update_ratio" not in read(tmp_path).info().signals
    assert {state.state for state in copied.rule_states} <= {"clean", "not evaluated"}
    assert len(copied.rule_states) == 22


def test_an_uncompiled_model_is_refused(tmp_path: Path) -> None:
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    callback.set_model(models.mlp())
    with pytest.raises(ValueError, match=r"model\.compile"):
        callback.on_train_begin()


@pytest.mark.slow
@pytest.mark.timeout(1800)  # on a busy machine, too
def test_final_weights_are_bit_identical() -> None:
    command = [sys.executable, "-m", "tests.training.bit_identity"]
    result = subprocess.run(command, env=of_users(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
