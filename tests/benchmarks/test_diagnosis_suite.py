"""The suite is what its page says: wide enough, split in two, and its trainings train."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.diagnosis.architectures import build, load_data
from benchmarks.diagnosis.bodies import PARTS
from benchmarks.diagnosis.data import TASKS, Array, load
from benchmarks.diagnosis.faults import FAULTS, Fault
from benchmarks.diagnosis.judging import OURS, judge
from benchmarks.diagnosis.measures import ACTIVATION, VARIABLE, activation_row, variable_row
from benchmarks.diagnosis.recorder import SeriesRecorder
from benchmarks.diagnosis.series import Series
from benchmarks.diagnosis.training import runs, train
from tensorboard_gradhealth.rules import RULES
from tests.benchmarks.series import healthy


def bodies(on: str) -> set[str]:
    return {place.split("/")[0] for place in on.split()}


def test_no_architecture_and_no_seed_is_in_both_parts() -> None:
    assert not set(PARTS["choose"]) & set(PARTS["report"])
    seeds = {part: {run.seed for run in runs(part, 5)} for part in PARTS}
    assert not seeds["choose"] & seeds["report"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_in_both_parts_and_expects_rules_that_exist(fault: Fault) -> None:
    assert bodies(fault.on) & set(PARTS["choose"])
    assert bodies(fault.on) & set(PARTS["report"])
    assert set(fault.expected) <= {rule.name for rule in RULES}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_wide(part: str) -> None:
    trained = list(runs(part, 1))
    assert len({run.name for run in trained if run.kind == "fault"}) >= 20
    assert len({(run.name, run.on) for run in trained if run.kind == "healthy"}) >= 50
    assert len({run.path for run in runs(part, 5)}) == 5 * len(trained)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["images", "flat", "table"])
def test_data_is_made_by_seed(kind: str, task: str) -> None:
    first, again, other = load(kind, task, 50, 3), load(kind, task, 50, 3), load(kind, task, 50, 4)
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.array_equal(first.x, other.x)
    assert len(first.x) == len(first.y) == 50


def test_measures_of_a_kernel() -> None:
    gradient, before = np.array([[0.0, 4.0]]), np.array([[3.0, 4.0]])
    row = dict(zip(VARIABLE, variable_row(gradient, before, before - 1, before), strict=True))
    assert row["gradient_zeros"] == 0.5
    assert row["update_ratio"] == pytest.approx(np.sqrt(2) / 5)
    assert row["weight_change"] == 0


def test_measures_of_an_activation() -> None:
    outputs = np.stack([np.ones(200), -np.ones(200), np.linspace(-0.5, 0.5, 200)], axis=1)
    row = dict(zip(ACTIVATION, activation_row(outputs, "tanh"), strict=True))
    assert row["at_end"] == row["crowded"] == pytest.approx(2 / 3)
    assert row["rarely_active"] == pytest.approx(1 / 3)


def test_a_series_survives_its_file(tmp_path: Path) -> None:
    series = healthy()
    series.save(tmp_path / "series.npz")
    again = Series.load(tmp_path / "series.npz")
    np.testing.assert_array_equal(again.variables, series.variables)
    np.testing.assert_array_equal(again.epochs["val_loss"], series.epochs["val_loss"])
    assert again.facts == series.facts


@pytest.mark.slow
def test_the_recorder_leaves_the_training_as_it_is() -> None:
    (run,) = runs("choose", 1, "healthy/plain_cnn_bn")
    setup = dataclasses.replace(run.setup, samples=352)  # eleven steps
    data = load_data(setup, 0)

    def trained(*callbacks: Any) -> list[Array]:
        keras.utils.set_random_seed(0)
        model = build(setup, data)
        model.fit(data.x, data.y, batch_size=32, epochs=1, verbose=0, callbacks=list(callbacks))
        return [variable.numpy() for variable in model.variables]

    recorder = SeriesRecorder(data, setup.task)
    for plain, recorded in zip(trained(), trained(recorder), strict=True):
        np.testing.assert_array_equal(plain, recorded)
    series = recorder.series()
    assert series.steps.tolist() == [0, 10]
    assert series.variables.shape == (2, len(series.facts["variables"]), len(VARIABLE))
    assert series.activations.shape == (2, 3, len(ACTIVATION))


@pytest.mark.slow
def test_a_run_is_trained_and_judged_by_all_tools(tmp_path: Path) -> None:
    (run,) = runs("choose", 1, "fault/softmax_over_one_unit")
    train(run, tmp_path)
    judged = judge(tmp_path / run.path)
    assert judged.said[OURS][0].name == "output_loss_mismatch"
    assert len(judged.said) == 6
