"""TheDeepChecker (Ben Braiek and Khomh, TOSEM 2022): before training, and every ten steps of it.

In training a condition must hold at five looks in a row. Left out are the checks after training,
the tiny batch that must be overfitted, and the smoothness of the loss, whose measure is not given.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.diagnosis.published._alarms import Alarm, Alarms
from benchmarks.diagnosis.series import Series

PATIENCE = 5
PERPLEXITY = 0.5
QUANTILE = 1.645
"""Of the normal distribution, for a test on both sides at a level of 0.1."""
LOSS_DEVIATION = 1.0
VANISHED, EXPLODED, GROWTH = 1e-6, 1e6, 2.0
HALF = 0.5
DEVIATION = (0.5, 2.0)
LOG_RATIO = (-4.0, -1.0)
DIVERGED = 1e8
FALL = 0.05


def judge(series: Series) -> list[Alarm]:
    """Returns the alarms of a run."""
    alarms = Alarms(series.steps)
    _before(alarms, series)
    if series.variables.size:
        _kernels(alarms, series)
        _activations(alarms, series)
    loss = series.loss
    nonfinite = ~np.isfinite(loss)
    alarms.when("nan loss", nonfinite, "nonfinite_values", "nonfinite_inputs")
    with np.errstate(all="ignore"):
        change = np.concatenate([[0.0], loss[1:] / loss[:-1]])
    waiting = series.steps > 0
    slow = waiting & (change > 1 - FALL)
    alarms.when("non-decreasing loss", slow, "loss_plateau", patience=PATIENCE)
    grown = waiting & (change >= GROWTH)
    alarms.when("diverging loss", grown, "loss_divergence", patience=PATIENCE)
    return alarms


def _before(alarms: Alarms, series: Series) -> None:
    facts = series.facts
    low, high = facts["input_low"], facts["input_high"]
    scaled = (low >= -1 and high <= 1) or facts["input_standardised"]
    alarms.if_("nan input", facts["input_nonfinite"] > 0, "nonfinite_inputs")
    alarms.if_("unscaled input", not scaled, "unscaled_inputs")
    alarms.if_("constant feature", facts["input_constant"], "unscaled_inputs")
    alarms.if_("unbalanced labels", facts["label_perplexity"] < PERPLEXITY, "class_imbalance")
    alarms.if_("poor weights", _unusual_start(series), "poor_initialization")
    classes = facts["task"] in ("classes", "binary")
    expected = math.log(facts["classes"]) if classes and facts["classes"] > 1 else 0.0
    if expected and len(series.loss):
        deviation = abs(series.loss[0] - expected) / expected
        means = ("poor_initialization", "output_loss_mismatch", "unscaled_inputs")
        alarms.if_("initial loss", not deviation < LOSS_DEVIATION, *means)


def _unusual_start(series: Series) -> bool:
    """Whether a kernel's variance differs from what He, Glorot and LeCun advise alike."""
    if not series.variables.size:
        return False
    measured = series.variable("weight_variance")[0]
    for variance, (inputs, outputs) in zip(measured, series.facts["fans"], strict=True):
        # Chi-squared over its degrees of freedom, after Wilson and Hilferty.
        spread = 2 / (9 * (inputs * outputs - 1))
        low, high = ((1 - spread + q * math.sqrt(spread)) ** 3 for q in (-QUANTILE, QUANTILE))
        usual = (2 / inputs, 2 / (inputs + outputs), 1 / inputs)
        if not any(low <= variance / advised <= high for advised in usual):
            return True
    return False


def _kernels(alarms: Alarms, series: Series) -> None:
    names, variable = series.facts["variables"], series.variable
    mean, ratio = variable("gradient_mean"), variable("update_ratio")
    options = {"layers": names, "patience": PATIENCE}
    nonfinite = (variable("gradient_nonfinite") > 0) | (variable("weight_nonfinite") > 0)
    alarms.when("nan tensor", nonfinite, "nonfinite_values", layers=names)
    alarms.when("vanishing gradient", mean < VANISHED, "vanishing_gradients", **options)
    with np.errstate(all="ignore"):
        growth = np.concatenate([np.zeros((1, mean.shape[1])), mean[1:] / mean[:-1]])
        steps = np.log10(ratio)
    grown = (mean > EXPLODED) | (growth >= GROWTH)
    alarms.when("exploding gradient", grown, "exploding_gradients", **options)
    large = ("learning_rate_too_high", "unstable_step")
    alarms.when("high updates", steps > LOG_RATIO[1], *large, **options)
    alarms.when("low updates", steps < LOG_RATIO[0], "learning_rate_too_low", **options)
    diverged = variable("weight_mean") > DIVERGED
    alarms.when("diverging weights", diverged, "exploding_gradients", **options)


def _activations(alarms: Alarms, series: Series) -> None:
    options = {"layers": series.facts["activations"], "patience": PATIENCE}
    dead = series.activation("silent") > HALF
    crowded = series.activation("crowded") > HALF
    deviation = series.activation("deviation")
    unusual = (deviation < DEVIATION[0]) | (deviation > DEVIATION[1])
    alarms.when("dead units", dead, "dead_units", **options)
    alarms.when("saturated units", crowded, "saturated_activations", **options)
    alarms.when("unstable activations", unusual, "attenuating_activation", **options)
