"""DeepDiagnosis (Wardat et al., ICSE 2022): symptoms looked for at the end of each epoch."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.data import Array
from benchmarks.diagnosis.published._alarms import Alarm, Alarms, last_records
from benchmarks.diagnosis.series import Series

VANISHED = 1e-7
DEAD = 0.7
SATURATED = 0.5
VARIANCE = (1e-5, 10.0)
RATIO = (1e-5, 1e-1)
UNCHANGED_EPOCHS = 5
LOSS_EPOCHS, ACCURACY_EPOCHS = 5, 20


def judge(series: Series) -> list[Alarm]:
    """Returns the alarms of a run."""
    epochs = last_records(series)
    alarms = Alarms(series.epochs.get("step", np.zeros(0, int)))
    facts = series.facts
    outside = facts["input_low"] < -1 or facts["input_high"] > 1
    alarms.if_("Data Preprocessing", outside, "unscaled_inputs")
    low, high = {"sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1), "relu": (0, np.inf)}.get(
        facts["head"], (-np.inf, np.inf)
    )
    beyond = facts["task"] != "classes" and (
        facts["target_low"] < low or facts["target_high"] > high
    )
    alarms.if_("Out of Range", beyond, "output_loss_mismatch")
    if series.variables.size:
        _kernels(alarms, series, epochs)
        _activations(alarms, series, epochs)
    if "loss" in series.epochs:
        _learning(alarms, series)
    return alarms


def _kernels(alarms: Alarms, series: Series, epochs: Array) -> None:
    names = series.facts["variables"]

    def variable(name: str) -> Array:
        values: Array = series.variable(name)[epochs]
        return values

    nonfinite = (variable("gradient_nonfinite") > 0) | (variable("weight_nonfinite") > 0)
    alarms.when("Numerical Error", nonfinite, "nonfinite_values", layers=names)
    variance = variable("weight_variance")
    unusual = (variance < VARIANCE[0]) | (variance > VARIANCE[1])
    alarms.when("Invalid Weights", unusual, "poor_initialization", layers=names)
    vanished = variable("gradient_mean") < VANISHED
    alarms.when("Vanishing Gradient", vanished, "vanishing_gradients", layers=names)
    still = variable("weight_change") == 0
    means = ("frozen_layer", "learning_rate_too_low")
    alarms.when("Unchanged Weight", still, *means, layers=names, patience=UNCHANGED_EPOCHS)
    with np.errstate(all="ignore"):
        rate = series.facts["learning_rate"]
        ratio = rate * variable("gradient_norm") / variable("weight_norm")
    large = ("learning_rate_too_high", "unstable_step")
    alarms.when("High Learning Rate", ratio > RATIO[1], *large, layers=names)
    alarms.when("Low Learning Rate", ratio < RATIO[0], "learning_rate_too_low", layers=names)


def _activations(alarms: Alarms, series: Series, epochs: Array) -> None:
    names = series.facts["activations"]
    dead = series.activation("not_positive")[epochs] >= DEAD
    saturated = series.activation("beyond_five")[epochs] > SATURATED
    alarms.when("Dead Node", dead, "dead_units", layers=names)
    alarms.when("Saturated Activation", saturated, "saturated_activations", layers=names)


def _learning(alarms: Alarms, series: Series) -> None:
    loss = series.epochs["loss"]
    alarms.when("Numerical Error", ~np.isfinite(loss), "nonfinite_values", "nonfinite_inputs")
    stays = np.concatenate([[False], ~(loss[1:] < loss[:-1])])
    means = ("loss_plateau", "loss_divergence")
    alarms.when("Loss Not Decreasing", stays, *means, patience=LOSS_EPOCHS)
    accuracy = series.epochs.get("accuracy")
    if accuracy is not None:
        stays = np.concatenate([[False], accuracy[1:] <= accuracy[:-1]])
        name = "Accuracy Not Increasing"
        alarms.when(name, stays, "loss_plateau", patience=ACCURACY_EPOCHS)
