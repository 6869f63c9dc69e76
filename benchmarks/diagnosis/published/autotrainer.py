"""AUTOTRAINER (Zhang et al., ICSE 2021): five problems, judged at the end of every third epoch.

It waits for 30 % of the epochs, and speaks of gradients only while the accuracy is poor. Without
an accuracy (regression) that guard cannot be asked, and only the loss is judged.
"""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.data import Array
from benchmarks.diagnosis.published._alarms import Alarm, Alarms, last_records
from benchmarks.diagnosis.series import Series

EVERY = 3
START = 0.3
POOR = 0.6
VANISHED_RATIO, VANISHED = 1e-3, 1e-4
EXPLODED_RATIO = 70.0
DEAD = 0.7
SWING, SWING_SHARE = 0.03, 0.2
GAIN = 0.01
HUGE_LOSS = 1e3


def judge(series: Series) -> list[Alarm]:
    """Returns the alarms of a run."""
    epochs = last_records(series)
    count = len(epochs)
    looked = [e for e in range(count) if (e + 1) % EVERY == 0 and e + 1 >= START * count]
    alarms = Alarms(series.epochs["step"][looked] if looked else np.zeros(0, int))
    loss = series.epochs.get("loss", np.zeros(0))[looked]
    alarms.when(
        "nan_loss", ~(loss < HUGE_LOSS), "nonfinite_values", "nonfinite_inputs", "loss_divergence"
    )
    accuracy = series.epochs.get("accuracy")
    if accuracy is None or not looked or not series.variables.size:
        return alarms
    poor = np.array([accuracy[: e + 1].max() <= POOR for e in looked])
    norms = series.variable("gradient_norm")[epochs[looked]]
    with np.errstate(all="ignore"):
        ratio = norms[:, 0] / norms[:, -1]
    zeros = series.variable("gradient_zeros")[epochs[looked]].mean(axis=1)
    nonfinite = series.variable("gradient_nonfinite")[epochs[looked]].sum(axis=1) > 0
    vanished = poor & (ratio < VANISHED_RATIO) & (norms[:, 0] < VANISHED)
    alarms.when("explode", poor & ((ratio > EXPLODED_RATIO) | nonfinite), "exploding_gradients")
    alarms.when("vanish", vanished, "vanishing_gradients", "frozen_layer")
    alarms.when("dying", poor & (zeros >= DEAD), "dead_units")
    swings = np.array([_swings(accuracy[: e + 1]) for e in looked])
    alarms.when("unstable", swings, "loss_oscillation", "learning_rate_too_high", "unstable_step")
    slow = np.array([_slow(accuracy[: e + 1]) for e in looked])
    alarms.when("not_converge", poor & slow, "learning_rate_too_low", "loss_plateau")
    return alarms


def _swings(accuracy: Array) -> bool:
    """Whether a fall and the rise after it are large in a fifth of the epochs or more."""
    change = np.diff(accuracy)
    pairs = (change[:-1] < -SWING) & (change[1:] > SWING)
    return len(accuracy) > 2 and float(pairs.sum()) / len(accuracy) >= SWING_SHARE


def _slow(accuracy: Array) -> bool:
    return len(accuracy) > 1 and float(np.diff(accuracy).max()) < GAIN
