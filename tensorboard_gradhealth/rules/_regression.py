"""Which outputs of a regression do not suit its targets: their range, their number, their kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._heads import REACH, Fault
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number
from tensorboard_gradhealth.types import Evidence, Row

REGRESSION = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "log_cosh",
)
"""Losses that compare outputs with targets by their distance."""


def fault_of_targets(view: View, head: Mapping[str, Any]) -> Fault | None:
    """Judges the only output of a model by the targets of a regression seen so far.

    The rule's limits are `classes`, `tolerance` and `unreachable`.
    """
    is_target = np.flatnonzero(view.where("input_features", "target"))
    fields = ("count", "mean", "std", "min", "max")
    targets = {name: view.latest("input_features", name)[is_target] for name in fields}
    # Before that many samples a range says little; without a spread the targets are a dummy.
    if not (targets["count"] >= 2).any() or not (targets["std"] > 0).any():
        return None
    if len(is_target) == 1 and head["units"] > 1 and head["activation"] == "softmax":
        return _shared_by_one_target(view, head, targets)
    likeness = _class_likeness(targets)
    one_answer = head["units"] == 1 or head["activation"] == "softmax"
    if likeness > view.limits["classes"] and one_answer:
        return _squared_classes(view, head, likeness)
    if len(is_target) == 1 and head["units"] > 1:
        return _broadcast(view, head)
    return _out_of_reach(view, head, targets, [view.rows("input_features")[i] for i in is_target])


def _class_likeness(targets: Mapping[str, Any]) -> float:
    """Least variance of a target over that of one that is only 0 or 1, which is the largest.

    0 if a target leaves that range.
    """
    low, high, mean = targets["min"], targets["max"], targets["mean"]
    most = np.maximum(mean * (1 - mean), 1e-30)
    within = (low == 0).all() and (high <= 1).all() and bool(high.any())
    varies = high > low  # a class that did not come up yet says nothing
    return float((targets["std"] ** 2 / most)[varies].min()) if within and varies.any() else 0.0


def _squared_classes(view: View, head: Mapping[str, Any], least: float) -> Fault:
    family = "Binary" if head["units"] == 1 else "Categorical"
    logits = "from_logits=True" if head["activation"] == "linear" else ""
    label, step = "variance of the targets / that of classes", view.record.step
    return Fault(
        "info",
        f"{{}} learns classes under {head['loss']}",
        "the targets are only 0 and 1, which is a classification",
        "Use the cross-entropy, whose gradient does not fade where the model is wrong.",
        f"model.compile(optimizer, keras.losses.{family}Crossentropy({logits}))",
        Evidence(label, least, view.limits["classes"], "", "input_features", step),
        "A squared error is wanted here (Brier score, least squares GAN, Q-learning).",
    )


def _shared_by_one_target(view: View, head: Mapping[str, Any], targets: Mapping[str, Any]) -> Fault:
    """A softmax of which each unit is compared with the same target: it has no say in the sum."""
    units, low, high = head["units"], float(targets["min"][0]), float(targets["max"][0])
    numbers = low.is_integer() and high.is_integer() and low >= 0 and high < units
    label, step = "output units for one target column", view.record.step
    return Fault(
        "error",
        f"{{}} shares 1 out among {units} units, which are all compared with one target",
        "whatever the target is, the sum of the outputs is 1, and nothing is learned from it",
        "The targets are numbers of classes: use the cross-entropy that takes those."
        if numbers
        else "End with one linear unit for each target.",
        'model.compile(optimizer, loss="sparse_categorical_crossentropy")'
        if numbers
        else "keras.layers.Dense(1)  # without an activation",
        Evidence(label, units, 1, "", "input_features", step),
        "Never: the loss pulls all units towards the same probability.",
    )


def _broadcast(view: View, head: Mapping[str, Any]) -> Fault:
    step, units = view.record.step, head["units"]
    label = "output units for one target column"
    return Fault(
        "warning",
        f"All {units} units of {{}} are compared with one target column",
        "the targets have one column, which the loss compares with each of the outputs",
        "Give the model one output for each target.",
        "model.add(keras.layers.Dense(1))",
        Evidence(label, units, 1, "", "input_features", step),
        "All outputs are to approach the same target.",
    )


def _out_of_reach(
    view: View, head: Mapping[str, Any], targets: Mapping[str, Any], rows: list[Row]
) -> Fault | None:
    low, high = REACH.get(head["activation"], (-math.inf, math.inf))
    spread = np.maximum(targets["std"], 1e-30)
    below, above = (low - targets["min"]) / spread, (targets["max"] - high) / spread
    worst = int(np.maximum(below, above).argmax())
    if not max(below[worst], above[worst]) > view.limits["tolerance"]:
        return None
    over = bool(above[worst] > below[worst])
    # How far the bulk of the targets reaches out, not its extremes alone.
    mean = float(targets["mean"][worst])
    bulk = ((mean - high) if over else (low - mean)) / float(spread[worst])
    value, limit = (targets["max"], high) if over else (targets["min"], low)
    label = f"{'largest' if over else 'smallest'} target"
    name, step = head["activation"], view.record.step
    return Fault(
        "error" if bulk > -view.limits["unreachable"] else "warning",
        f"Targets go {'above' if over else 'below'} {number(limit)}, where {name} of {{}} ends",
        f"{name} gives values from {number(low)} to {number(high)} only",
        "End with a linear unit, or scale the targets into that range.",
        f"keras.layers.Dense({head['units'] or 'units'})  # without an activation",
        Evidence(label, float(value[worst]), limit, "", "input_features", step, rows[worst].name),
        "The targets that are out of reach are errors in the data.",
    )
