"""Steps that are put together unusually, and models whose variables change between two fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.training import models
from tests.training.everywhere.cases import BATCH, SAMPLES
from tests.training.unmeasured import unmeasured

pytestmark = pytest.mark.slow


def read(log_dir: Path) -> RunReader:
    return RunReader(open_log_dir(log_dir), None, "", ".")


def fit(model: keras.Model, callback: Any, samples: int = SAMPLES) -> None:
    x, y = models.data(samples)
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[callback])


@pytest.mark.parametrize("eager", [False, True])
def test_layers_may_be_frozen_and_thawed_between_fits(eager: bool, tmp_path: Path) -> None:
    model = models.compiled("mlp")
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    everything = [variable.path.split("/", 1)[1] for variable in model.trainable_variables]
    for frozen in (True, False, True):
        model.layers[0].trainable = not frozen
        model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=eager)
        fit(model, callback)
        run = read(tmp_path)
        expected = everything[2:] if frozen else everything
        assert [row.name for row in run.info().rows["variable"]] == expected
        norms = run.records()[-1].signals["gradient_norm"]
        assert len(norms) == len(expected) and (norms > 0).all()
    assert not unmeasured(callback._guard.reports)
    assert run.records()[-1].step == 17
    assert not any(finding.severity != "info" for finding in callback.findings)


def test_as_many_layers_may_be_frozen_as_are_thawed(tmp_path: Path) -> None:
    model = models.compiled("mlp")
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    everything = [variable.path.split("/", 1)[1] for variable in model.trainable_variables]
    first, second = model.layers[0], model.layers[2]
    for frozen, thawed, expected in (
        (first, second, everything[2:]),
        (second, first, everything[:2] + everything[4:]),
    ):
        frozen.trainable, thawed.trainable = False, True
        model.compile("adam", "sparse_categorical_crossentropy")
        fit(model, callback)
        assert [row.name for row in read(tmp_path).info().rows["variable"]] == expected
    norms = read(tmp_path).records()[-1].signals["gradient_norm"]
    assert len(norms) == len(expected) and (norms > 0).all()
    assert not unmeasured(callback._guard.reports)


class NestedFunction(models.CustomStep):
    """Applies its gradients inside a function of its own, and in some steps only."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data

        @tf.function
        def step() -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(
                    keras.losses.sparse_categorical_crossentropy(y, self(x, training=True))
                )
            gradients = tape.gradient(loss, self.trainable_variables)
            norm = tf.linalg.global_norm(gradients)
            if self.optimizer.iterations + self.waited < 2 and self.waited < 1:
                self.waited.assign_add(1)
            else:
                self.optimizer.apply(gradients, self.trainable_variables)
            return loss, norm

        loss, norm = step()
        return {"loss": loss, "norm": norm}


def test_gradients_applied_in_a_branch_of_a_nested_function_are_measured(tmp_path: Path) -> None:
    model = NestedFunction(rate=0.0)
    model.waited = tf.Variable(0, dtype=tf.int64, trainable=False)
    x, y = models.data(SAMPLES)
    model(x)
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    norms: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: norms.append(logs["norm"])
    )
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[callback, note])
    records = read(tmp_path).records()
    measured = [record.signals["gradient_global_norm"][0, 0] for record in records]
    assert measured[0] == NOT_MEASURED
    np.testing.assert_allclose(measured[1:], norms[1:], rtol=1e-4)
    assert (records[1].signals["update_ratio"] > 0).any()
    assert not unmeasured(callback._guard.reports)


class OutsideVariable(models.CustomStep):
    """Trains a variable that Keras does not know as one of the model's."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        scale = self.hidden_from_keras["scale"]
        variables = [*self.trainable_variables, scale]
        with tf.GradientTape() as tape:
            scores = scale * self(x, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, scores))
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


def test_a_variable_outside_of_the_model_has_a_row_too(tmp_path: Path) -> None:
    model = OutsideVariable()
    scale = keras.Variable([2.0], name="scale")
    vars(model)["hidden_from_keras"] = {"scale": scale}
    model.compile("adam")
    model(models.data(1)[0])
    model.optimizer.build([*model.trainable_variables, scale])
    callback = gradhealth.HealthCallback(tmp_path, verbose=0)
    fit(model, callback)
    run = read(tmp_path)
    names = [row.name for row in run.info().rows["variable"]]
    assert len(names) == len(model.trainable_variables) + 1
    assert names[-1] == scale.path
    assert run.records()[0].signals["gradient_norm"][-1, 0] > 0
    assert not unmeasured(callback._guard.reports)
