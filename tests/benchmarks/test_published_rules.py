"""The published rule sets say what their definitions say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.diagnosis.published import (
    PUBLISHED,
    Alarm,
    autotrainer,
    deepdiagnosis,
    sagemaker,
    thedeepchecker,
    umlaut,
)
from tests.benchmarks.series import (
    EPOCHS,
    RECORDS,
    healthy,
    with_activation,
    with_epochs,
    with_variable,
)


def names(alarms: list[Alarm]) -> set[str]:
    return {alarm.name for alarm in alarms}


@pytest.mark.parametrize("tool", PUBLISHED)
def test_a_run_within_all_limits_raises_no_alarm(tool: str) -> None:
    assert PUBLISHED[tool](healthy()) == []


def unlearnt(accuracy: float = 0.25) -> dict[str, list[float]]:
    return {"accuracy": [accuracy] * EPOCHS}


def test_autotrainer_sees_a_vanished_gradient_only_while_the_accuracy_is_poor() -> None:
    vanished = with_variable(healthy(), "gradient_norm", 1e-5)
    assert "vanish" not in names(autotrainer.judge(vanished))
    poor = with_epochs(vanished, **unlearnt())
    assert "vanish" in names(autotrainer.judge(poor))


def test_autotrainer_judges_every_third_epoch_once_a_third_is_over() -> None:
    exploded = with_variable(with_epochs(healthy(), **unlearnt()), "gradient_norm", 100.0)
    alarm = next(a for a in autotrainer.judge(exploded) if a.name == "explode")
    assert alarm.step == healthy().epochs["step"][2]


def test_autotrainer_counts_zero_gradients_and_swings() -> None:
    poor = with_epochs(healthy(), **unlearnt())
    dead = with_variable(with_variable(poor, "gradient_zeros", 0.8), "gradient_zeros", 0.8, row=1)
    assert "dying" in names(autotrainer.judge(dead))
    swings = with_epochs(healthy(), accuracy=[0.5, 0.7] * (EPOCHS // 2))
    assert "unstable" in names(autotrainer.judge(swings))
    assert "not_converge" in names(autotrainer.judge(poor))


def test_autotrainer_is_silent_about_gradients_where_there_is_no_accuracy() -> None:
    series = with_variable(healthy(task="values"), "gradient_norm", 1e-9)
    logs = {key: series.epochs[key] for key in ("step", "loss", "val_loss")}
    assert autotrainer.judge(dataclasses.replace(series, epochs=logs)) == []


@pytest.mark.parametrize(
    ("measure", "value", "alarm"),
    [
        ("gradient_mean", 1e-8, "VanishingGradient"),
        ("gradient_nonfinite", 3, "ExplodingTensor"),
        ("update_ratio", 20.0, "WeightUpdateRatio"),
        ("update_ratio", 1e-9, "WeightUpdateRatio"),
        ("gradient_zeros", 1.0, "AllZero"),
        ("weight_change", 1e-6, "UnchangedTensor"),
        ("weight_variance", 0.001, "PoorWeightInitialization"),
    ],
)
def test_sagemaker_names_the_kernel(measure: str, value: float, alarm: str) -> None:
    said = sagemaker.judge(with_variable(healthy(), measure, value, row=1))
    assert names(said) == {alarm}
    assert said[0].layer in ("second/kernel", "")


def test_sagemaker_wants_every_record_to_have_a_lower_loss() -> None:
    loss = healthy().loss.copy()
    loss[5] = loss[4]
    said = sagemaker.judge(dataclasses.replace(healthy(), loss=loss))
    assert [(alarm.name, alarm.step) for alarm in said] == [("LossNotDecreasing", 50)]


def test_sagemaker_activations_images_and_labels() -> None:
    dead = with_activation(healthy(), "rarely_active", 0.6)
    assert names(sagemaker.judge(dead)) == {"DeadRelu"}
    bright = healthy(input_shape=[8, 8, 1], input_mean=0.3)
    assert names(sagemaker.judge(bright)) == {"CheckInputImages"}
    rare = with_epochs(healthy(label_ratio=50.0, label_top_share=0.98), accuracy=[0.98] * EPOCHS)
    assert "ClassImbalance" in names(sagemaker.judge(rare))
    apart = with_epochs(healthy(), val_loss=2 * healthy().epochs["loss"])
    assert names(sagemaker.judge(apart)) == {"Overfit"}


@pytest.mark.parametrize(
    ("facts", "alarm"),
    [
        ({"input_nonfinite": 1}, "nan input"),
        ({"input_high": 255.0}, "unscaled input"),
        ({"input_constant": True}, "constant feature"),
        ({"label_perplexity": 0.3}, "unbalanced labels"),
        ({"classes": 2}, "initial loss"),
    ],
)
def test_thedeepchecker_looks_before_the_training(facts: dict[str, float], alarm: str) -> None:
    said = thedeepchecker.judge(healthy(**facts))
    assert [(a.name, a.step) for a in said] == [(alarm, 0)]


def test_thedeepchecker_wants_an_advised_variance_of_the_first_weights() -> None:
    said = thedeepchecker.judge(with_variable(healthy(), "weight_variance", 9.0))
    assert names(said) == {"poor weights"}


def test_thedeepchecker_waits_for_five_looks() -> None:
    held = with_variable(healthy(), "gradient_mean", 1e-7, start=RECORDS - 5)
    brief = with_variable(healthy(), "gradient_mean", 1e-7, start=RECORDS - 4)
    assert "vanishing gradient" in names(thedeepchecker.judge(held))
    assert "vanishing gradient" not in names(thedeepchecker.judge(brief))


def test_thedeepchecker_standardised_inputs_may_leave_the_unit_range() -> None:
    said = thedeepchecker.judge(healthy(input_high=4.0, input_standardised=True))
    assert said == []


@pytest.mark.parametrize(
    ("measure", "value", "alarm"),
    [
        ("gradient_mean", 1e-8, "Vanishing Gradient"),
        ("gradient_norm", 1e3, "High Learning Rate"),
        ("gradient_norm", 1e-3, "Low Learning Rate"),
        ("weight_variance", 20.0, "Invalid Weights"),
        ("weight_nonfinite", 1, "Numerical Error"),
        ("weight_change", 0.0, "Unchanged Weight"),
    ],
)
def test_deepdiagnosis_kernels(measure: str, value: float, alarm: str) -> None:
    said = deepdiagnosis.judge(with_variable(healthy(), measure, value))
    assert names(said) == {alarm}
    assert said[0].layer == "first/kernel"


def test_deepdiagnosis_outputs_inputs_and_loss() -> None:
    assert names(deepdiagnosis.judge(healthy(input_high=2.0))) == {"Data Preprocessing"}
    outside = healthy(task="values", head="sigmoid", target_low=-2.0)
    assert names(deepdiagnosis.judge(outside)) == {"Out of Range"}
    dead = with_activation(healthy(), "not_positive", 0.7)
    assert names(deepdiagnosis.judge(dead)) == {"Dead Node"}
    stuck = with_epochs(healthy(), loss=[1.0] * EPOCHS)
    assert names(deepdiagnosis.judge(stuck)) == {"Loss Not Decreasing"}


@pytest.mark.parametrize(
    ("facts", "alarm"),
    [
        ({"input_low": -3.0}, "input range"),
        ({"head": "linear"}, "missing softmax"),
        ({"learning_rate": 0.1}, "high learning rate"),
        ({"learning_rate": 1e-8}, "low learning rate"),
        ({"dropout": 0.7}, "high dropout"),
    ],
)
def test_umlaut_looks_before_the_training(facts: dict[str, float], alarm: str) -> None:
    assert names(umlaut.judge(healthy(**facts))) == {alarm}


def test_umlaut_blames_a_lost_run_on_its_input_if_that_is_not_finite() -> None:
    lost = with_epochs(healthy(), loss=[np.nan] * EPOCHS)
    assert [a.means for a in umlaut.judge(lost)] == [("nonfinite_values",)]
    series = healthy(input_nonfinite=2)
    lost = dataclasses.replace(series, epochs=lost.epochs)
    assert [a.means for a in umlaut.judge(lost)] == [("nonfinite_inputs",)]


def test_umlaut_compares_an_epoch_with_the_one_before() -> None:
    validation = healthy().epochs["val_loss"].copy()
    validation[4] = validation[3] + 0.01
    said = umlaut.judge(with_epochs(healthy(), val_loss=validation))
    assert [(a.name, a.step) for a in said] == [("overfitting", 99)]
