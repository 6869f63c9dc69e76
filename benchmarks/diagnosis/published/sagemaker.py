"""Amazon SageMaker Debugger: its built-in rules with their documented limits.

Looked at every record instead of every 500 steps, which would miss most of what is here. Rules
for trees, text and stalled jobs are left out, and those whose limits have no default.
"""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.data import Array
from benchmarks.diagnosis.published._alarms import Alarm, Alarms, last_records
from benchmarks.diagnosis.series import Series

VANISHED = 1e-7
LARGE_RATIO, SMALL_RATIO = 10.0, 1e-8
VARIANCE_RATIO, GRADIENT_RANGE, FIRST_STEPS = 10.0, 0.001, 10
HALF = 0.5
UNCHANGED, SAVES = 1e-5, 3
FALL = 0.001
OVERFIT = 0.1
IMBALANCE, LABELS = 10.0, 500
IMAGE_MEAN = 0.2


def judge(series: Series) -> list[Alarm]:
    """Returns the alarms of a run."""
    alarms = Alarms(series.steps)
    image = len(series.facts["input_shape"]) == 3
    bright = image and series.facts["input_mean"] > IMAGE_MEAN
    alarms.if_("CheckInputImages", bright, "unscaled_inputs")
    if series.variables.size:
        _kernels(alarms, series)
        _activations(alarms, series)
    with np.errstate(all="ignore"):
        falls = series.loss[1:] < (1 - FALL) * series.loss[:-1]
    stays = np.concatenate([[False], ~falls])
    alarms.when("LossNotDecreasing", stays, "loss_plateau", "loss_divergence")
    alarms.extend(_epochs(series))
    return alarms


def _kernels(alarms: Alarms, series: Series) -> None:
    names, variable = series.facts["variables"], series.variable
    nonfinite = (variable("gradient_nonfinite") > 0) | (variable("weight_nonfinite") > 0)
    means = ("exploding_gradients", "nonfinite_values")
    alarms.when("ExplodingTensor", nonfinite, *means, layers=names)
    vanished = variable("gradient_mean") < VANISHED
    alarms.when("VanishingGradient", vanished, "vanishing_gradients", layers=names)
    alarms.when("PoorWeightInitialization", _poor_start(series), "poor_initialization")
    ratio = variable("update_ratio")
    large = ("learning_rate_too_high", "unstable_step")
    small = ("learning_rate_too_low", "frozen_layer")
    alarms.when("WeightUpdateRatio", ratio > LARGE_RATIO, *large, layers=names)
    alarms.when("WeightUpdateRatio", ratio < SMALL_RATIO, *small, layers=names)
    zero = variable("gradient_zeros") == 1
    nothing = ("frozen_layer", "dead_units", "poor_initialization")
    alarms.when("AllZero", zero, *nothing, layers=names)
    still = (variable("weight_change") <= UNCHANGED) & (series.steps[:, None] > 0)
    alarms.when("UnchangedTensor", still, *small, layers=names, patience=SAVES)


def _poor_start(series: Series) -> Array:
    variance = series.variable("weight_variance")
    with np.errstate(all="ignore"):
        uneven = variance.max(axis=1) / variance.min(axis=1) > VARIANCE_RATIO
    narrow = series.variable("gradient_range").min(axis=1) < GRADIENT_RANGE
    poor: Array = (series.steps < FIRST_STEPS) & (uneven | narrow)
    return poor


def _activations(alarms: Alarms, series: Series) -> None:
    names = series.facts["activations"]
    at_end = series.activation("at_end") > HALF
    alarms.when("SaturatedActivation", at_end, "saturated_activations", layers=names)
    relu = np.array([function == "relu" for function in series.facts["functions"]], bool)
    dead = relu & (series.activation("rarely_active") > HALF)
    alarms.when("DeadRelu", dead, "dead_units", layers=names)


def _epochs(series: Series) -> list[Alarm]:
    alarms = Alarms(series.steps[last_records(series)])
    if "val_loss" in series.epochs:
        loss, validation = series.epochs["loss"], series.epochs["val_loss"]
        with np.errstate(all="ignore"):
            alarms.when("Overfit", (validation - loss) / loss > OVERFIT, "overfitting")
    accuracy, facts = series.epochs.get("accuracy"), series.facts
    if accuracy is not None and facts["samples"] >= LABELS and facts["label_ratio"] >= IMBALANCE:
        unlearnt = accuracy <= facts["label_top_share"] + 1e-3
        alarms.when("ClassImbalance", unlearnt, "class_imbalance")
    return alarms
