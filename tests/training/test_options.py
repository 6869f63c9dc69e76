"""What `HealthCallback` and `HealthMonitor` can be told beside a preset, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tensorboard_gradhealth as gradhealth
from tests.logs import read_run
from tests.training import loops, models


def fit(log_dir: Path, epochs: int = 1, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.layers.Dense(8, "relu", name="in")], name="encoder")
    model = keras.Sequential([keras.Input((12,)), encoder, keras.layers.Dense(3, name="head")])
    model.compile("sgd", "mse", metrics=["mae"])
    x, _ = models.data(40)
    callback = gradhealth.HealthCallback(log_dir, verbose=0, **options)
    fitted = {"batch_size": 10, "validation_split": 0.25, "verbose": 0, "epochs": epochs}
    model.fit(x, x[:, :3], callbacks=[callback], **fitted)
    return model


def test_layers_chooses_what_is_measured_by_name(tmp_path: Path) -> None:
    fit(tmp_path, layers="^encoder/")
    info = read_run(tmp_path).info()
    names = ["encoder/in/kernel", "encoder/in/bias"]
    assert [row.name for row in info.rows["variable"]] == names
    assert [row.name for row in info.rows["activation"]] == ["encoder/in"]
    norms = read_run(tmp_path).series("gradient_norm").values[:, :, 0]
    together = read_run(tmp_path).series("gradient_global_norm").values[:, 0, 0]
    np.testing.assert_allclose(together, np.linalg.norm(norms, axis=1), rtol=1e-5)


def test_activations_are_searched_for_nan_without_any_other_signal_of_them(tmp_path: Path) -> None:
    fit(tmp_path, signals=["activation_nonfinite"])
    searched = read_run(tmp_path).series("activation_nonfinite").values[:, :, 0]
    assert searched.tolist() == [[0.0]] * 3


def test_validation_and_metrics_are_in_the_record_of_the_epochs_last_step(tmp_path: Path) -> None:
    model = fit(tmp_path, epochs=3)
    run = read_run(tmp_path)
    assert run.series("validation_loss").steps.tolist() == [2, 5, 8]
    validation = run.series("validation_loss").values[:, 0, 0]
    history = model.history.history
    np.testing.assert_allclose(validation, history["val_loss"], rtol=1e-6)
    names = [row.name for row in run.info().rows["metric"]]
    values = dict(zip(names, run.series("epoch_metrics").values[-1, :, 0], strict=True))
    assert values == pytest.approx({name: history[name][-1] for name in history}, rel=1e-6)


def test_initial_weights_are_those_before_the_first_step(tmp_path: Path) -> None:
    fit(tmp_path)
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.layers.Dense(8, "relu")])
    model = keras.Sequential([keras.Input((12,)), encoder, keras.layers.Dense(3)])
    [first] = read_run(tmp_path).series("initial_weights").values
    expected = [[np.mean(w), np.std(w), np.min(w), np.max(w)] for w in model.get_weights()]
    np.testing.assert_allclose(first[:, :4], expected, rtol=1e-4, atol=1e-7)


def test_a_monitor_is_told_of_a_validation(tmp_path: Path) -> None:
    loop = loops.Loop("mlp", "eager")
    with gradhealth.HealthMonitor(
        tmp_path, model=loop.model, optimizer=loop.optimizer, verbose=0
    ) as monitor:
        for x, y in loops.batches(3):
            monitor.step(loop.step, x, y)
        monitor.validation(loss=0.5, accuracy=0.75)
    run = read_run(tmp_path)
    assert run.series("validation_loss").steps.tolist() == [2]
    assert run.series("validation_loss").values[0, 0, 0] == 0.5
    assert [row.name for row in run.info().rows["metric"]] == ["val_loss", "val_accuracy"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "("}, r"layers='\('.*regular expression"),
        ({"layers": 3}, "layers=3.*regular expression"),
        ({"max_share": 0}, "max_share=0.*a share"),
        ({"max_share": 2.0}, "max_share=2.0.*a share"),
        ({"probe_batch_size": 0}, "probe_batch_size=0.*>= 1"),
        ({"probe_data": np.zeros(3)}, r"probe_data of type ndarray.*\(x, y\)"),
        ({"preset": "quick"}, "'quick'.*'full'"),
        ({"signals": ["loss", "losss"]}, "losss"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        gradhealth.HealthCallback(tmp_path, **options)


def test_a_validation_that_is_no_number_is_refused(tmp_path: Path) -> None:
    loop = loops.Loop("mlp", "eager")
    with (
        gradhealth.HealthMonitor(
            tmp_path, model=loop.model, optimizer=loop.optimizer, verbose=0
        ) as monitor,
        pytest.raises(ValueError, match=r"loss='low'.*one number"),
    ):
        monitor.validation(loss="low")  # type: ignore[arg-type]
