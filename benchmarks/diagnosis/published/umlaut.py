"""UMLAUT (Schoop et al., CHI 2021): checks before the training and at the end of each epoch."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.published._alarms import Alarm, Alarms
from benchmarks.diagnosis.series import Series

HIGH_RATE, LOW_RATE = 0.01, 1e-7
DROPOUT = 0.5
SUSPICIOUS, BETTER = 0.95, 0.05


def judge(series: Series) -> list[Alarm]:
    """Returns the alarms of a run."""
    facts, epochs = series.facts, series.epochs
    alarms = Alarms(epochs.get("step", np.zeros(0, int)))
    outside = facts["input_low"] < -1 or facts["input_high"] > 1
    alarms.if_("input range", outside, "unscaled_inputs")
    no_softmax = facts["task"] == "classes" and facts["head"] != "softmax"
    alarms.if_("missing softmax", no_softmax, "output_loss_mismatch")
    rate = facts["learning_rate"]
    alarms.if_("high learning rate", rate > HIGH_RATE, "learning_rate_too_high", "unstable_step")
    alarms.if_("low learning rate", rate < LOW_RATE, "learning_rate_too_low")
    alarms.if_("high dropout", facts["dropout"] > DROPOUT)
    if "loss" not in epochs:
        return alarms
    lost = ~np.isfinite(epochs["loss"])
    from_input = "nonfinite_inputs" if facts["input_nonfinite"] else "nonfinite_values"
    alarms.when("nan loss", lost, from_input)
    if "val_loss" in epochs:
        worse = np.diff(epochs["val_loss"]) > 0
        better = np.diff(epochs["loss"]) <= 0
        alarms.when("overfitting", np.concatenate([[False], worse & better]), "overfitting")
    if "val_accuracy" in epochs:
        validation, training = epochs["val_accuracy"], epochs["accuracy"]
        suspicious = (validation > SUSPICIOUS) | (validation > training + BETTER)
        alarms.when("validation accuracy", suspicious)
    return alarms
