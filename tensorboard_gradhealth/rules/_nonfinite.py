"""Why something inside a model is NaN or infinite, by the first place where it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._loss import CALM_STEP, first_loss
from tensorboard_gradhealth.rules._support import (
    bad_labels,
    in_half_precision,
    learning_rate_cause,
    likely_first,
    nonfinite_onset,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, quoted
from tensorboard_gradhealth.types import Cause

_SAFE_LOSSES = (
    "mse", "mean_squared_error", "mae", "mean_absolute_error", "mape",
    "mean_absolute_percentage_error", "msle", "mean_squared_logarithmic_error", "huber",
    "logcosh", "log_cosh", "hinge", "squared_hinge", "categorical_hinge", "poisson",
    "kl_divergence", "cosine_similarity",
)  # fmt: skip
"""Keras' losses, beside its cross-entropies. A `bce` may be Keras' own or anybody's."""

_NEVER_NAN = (
    "mse", "mean_squared_error", "mae", "mean_absolute_error", "huber",
    "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy",
)  # fmt: skip
"""Losses that are finite or infinite as long as outputs and labels are finite."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where values were not finite, and at how many steps of the window."""

    signal: str
    row: str
    value: float
    steps: int


def causes(view: View, first: Place) -> tuple[Cause, ...]:
    """What may have made the first place bad, most credible first."""
    operation, rate = _operation_cause(view, first), rate_cause(view, first)
    # What somebody wrote by hand comes before a learning rate that is merely possible.
    own = first.signal in ("loss", "gradient_nonfinite") and _own_loss(view)
    both = (*operation, *rate) if own else (*rate, *operation)
    labels = label_cause(view, first)
    return likely_first(*_half_precision_cause(view), *labels, *both, *_input_cause(view))


def _half_precision_cause(view: View) -> tuple[Cause, ...]:
    if not in_half_precision(view):
        return ()
    text = "float16 ends at 65,504, and squares of gradients below 2e-4 are 0 in it"
    support = f"the model: weights are {view.facts['weight_types']}, and the loss is not scaled"
    return (Cause(text, "likely", support),)


def rate_cause(view: View, first: Place) -> tuple[Cause, ...]:
    """The learning rate, ruled out where no step before was long; none if float16 decides."""
    if in_half_precision(view):
        return ()
    cause = learning_rate_cause(view)
    if not _before_any_update(view, first):
        if cause.confidence == "possible" and _calm_until(view, nonfinite_onset(view)):
            support = "update_ratio: all steps before were short, and the loss had not risen"
            return (dataclasses.replace(cause, confidence="ruled out", support=support),)
        return (cause,)
    support = "no update came before step 0"
    return (dataclasses.replace(cause, confidence="ruled out", support=support),)


def _calm_until(view: View, step: int) -> bool:
    """Whether no step of those kept before this one was long, and no loss higher than at first."""
    if not (view.has("update_ratio") and view.has("loss")):
        return False
    before = view.past_steps("update_ratio")[:, 1] < step
    ratio = view.past("update_ratio", field="max")[before]
    ratio = ratio[:, view.where("update_ratio", "kernel")]
    loss = view.past("loss", field="max")[view.past_steps("loss")[:, 1] < step, 0]
    if not (len(loss) >= 3 and np.isfinite(ratio).any()):
        return False
    calm = np.nan_to_num(ratio, posinf=1).max() < CALM_STEP
    return bool(calm and loss.max() < 2 * abs(first_loss(view)))


def _before_any_update(view: View, first: Place) -> bool:
    """Whether it was bad at step 0 already; weights are counted after the update."""
    steps = view.record.step + 1
    return first.signal != "weight_nonfinite" and (view.record.first_step, first.steps) == (
        0,
        steps,
    )


def _operation_cause(view: View, first: Place) -> tuple[Cause, ...]:
    if first.signal == "weight_nonfinite":
        return ()
    if first.signal == "gradient_nonfinite":
        fed = fed_nonfinite(view, first)
        if fed and not bad_inputs(view):
            text = f"logarithm or root of 0, or division by 0, in a layer in front of {quoted(fed)}"
            support = f"gradient_nonfinite: {number(first.value)} in its kernel, none in its bias"
            return (Cause(text, "likely", support),)
        return (Cause("a derivative is infinite: root, norm or division at 0"),)
    if first.signal == "loss" and _own_loss(view):
        name = quoted(str(view.facts["loss"]))
        return (Cause(f"logarithm or root of 0, or division by 0, in the loss {name}"),)
    return (Cause("logarithm of 0 or division by 0 in a custom loss or layer"),)


def fed_nonfinite(view: View, first: Place) -> str:
    """The layer of a kernel whose gradient is bad while that of the bias is finite, else ""."""
    rows = view.rows(first.signal)
    layer = next(r.layer for r in rows if r.name == first.row)
    counts = zip(rows, view.latest(first.signal, "max"), strict=True)
    found = {row.role: float(count) for row, count in counts if row.layer == layer}
    return layer if found.get("kernel", 0) > 0 and found.get("bias") == 0 else ""


def _input_cause(view: View) -> tuple[Cause, ...]:
    if not view.has("input_nonfinite"):
        return ()
    text, elements = "the input contains NaN or infinite values", bad_inputs(view)
    if not elements > 0:
        return (Cause(text, "ruled out"),)
    return (Cause(text, "likely", f"input_nonfinite: {number(elements)} elements of one batch"),)


def label_cause(view: View, first: Place) -> tuple[Cause, ...]:
    """Labels as a cause: likely where they are known, or where finite outputs give NaN.

    None of Keras' losses in `_NEVER_NAN` does that by itself: at most they overflow to infinity.
    """
    bad, text = bad_labels(view), "the labels contain NaN or infinite values"
    if bad is not None:
        where = f" in {quoted(bad.row)}" if bad.row else ""
        return (Cause(text, "likely", f"{bad.signal}: not finite{where}"),)
    if not (_nan_by_labels(view) and first.signal == "loss" and math.isnan(first.value)):
        return ()
    sparse = str(view.facts.get("loss", "")).startswith("sparse_")
    text += ", or numbers of classes that the model does not have" if sparse else ""
    text += ", or the weights of the samples do" if view.facts.get("sample_weights") else ""
    support = f"activation_nonfinite: the outputs are finite, which {view.facts['loss']} maps to"
    return (Cause(text, "likely", f"{support} finite numbers or infinity"),)


def _nan_by_labels(view: View) -> bool:
    """Whether the loss is one that finite outputs cannot make NaN, and the outputs are finite."""
    names = {str(view.facts.get("loss", "")), *(h["loss"] for h in _heads(view))}
    if not names <= {"", *_NEVER_NAN} or names == {""} or not view.has("activation_nonfinite"):
        return False
    outputs = view.where("activation_nonfinite", "output")
    return bool((view.latest("activation_nonfinite", "max")[outputs] == 0).any())


def _heads(view: View) -> list[Mapping[str, Any]]:
    return list(view.facts.get("outputs") or [])


def bad_inputs(view: View) -> float:
    """Elements of one batch of inputs that are not finite; 0 if that was not counted."""
    if not view.has("input_nonfinite"):
        return 0.0
    return float(np.nan_to_num(view.latest("input_nonfinite", "max")[0]))


def _own_loss(view: View) -> bool:
    """Whether the loss is none of those that Keras keeps away from logarithms of 0."""
    name = str(view.facts.get("loss", ""))
    return bool(name) and name not in _SAFE_LOSSES and not name.endswith("_crossentropy")
