"""A model in which nothing can move: no weight is trainable, has a gradient, or is updated."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._support import loss_drop
from tensorboard_gradhealth.rules._view import Floats, View
from tensorboard_gradhealth.types import Cause, Evidence, Fix


def nothing_to_train(view: View) -> Sign | None:
    """A sign if the model that an optimizer is to train has weights, and none may change."""
    weights = view.facts.get("parameters", 0)
    if not (weights and view.facts.get("optimizer")) or view.facts.get("weight_types") != "":
        return None
    if view.has("gradient_norm") and view.rows("gradient_norm"):
        return None
    return _standstill(
        f"None of the {weights} weights of the model is trainable",
        Evidence("trainable weights", 0, 1),
        Cause("`trainable = False` was set on the whole model", "likely", "the model: all frozen"),
        Fix(
            "Freeze only the layers that are to stay, before `compile`.",
            "model.trainable = True\nfor layer in model.layers[:-1]:\n    layer.trainable = False",
        ),
    )


def never_called(view: View) -> Sign | None:
    """A sign if no step asked the optimizer to change weights, and the loss has not fallen."""
    watched = view.facts.get("optimizer") and view.facts.get("keras")
    if not watched or view.record.step < view.limits["called"]:
        return None
    if any(view.has(signal) for signal in ("gradient_norm", "update_ratio")):
        return None
    if not loss_drop(view) < view.limits["progress"] or "loss" not in view.record.signals:
        return None
    return _standstill(
        "The optimizer is never asked to change a weight",
        Evidence("steps of the optimizer", 0, 1, step=view.record.step),
        Cause("the training step computes gradients and does not apply them"),
        Fix("Apply the gradients.", "optimizer.apply(gradients, model.trainable_variables)"),
    )


def no_gradient_at_all(view: View, past: Floats) -> Sign | None:
    """A sign if the gradient of every weight was exactly 0 at every step."""
    early = view.early("gradient_norm", field="max")
    known = np.isfinite(early).any(axis=0)
    if not known.any() or (early > 0).any() or not (past[:, known] == 0).all():
        return None
    if not view.scalar("learning_rate", "min") > 0 or view.scalar("loss") == 0:
        return None  # A loss of 0 has nothing to teach.
    step = view.record.step
    return _standstill(
        "No weight gets a gradient: the loss does not say how to change any",
        Evidence("largest gradient norm", 0.0, 0.0, "", "gradient_norm", step),
        Cause(
            "the loss counts, rounds or compares (argmax, a metric), or leaves the outputs out",
            "likely",
            "gradient_norm: exactly 0 for every weight at every step",
        ),
        Fix(
            "Train with a loss that can be differentiated, and watch the other as a metric.",
            'model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])',
        ),
    )


def _standstill(head: str, evidence: Evidence, cause: Cause, fix: Fix) -> Sign:
    return Sign(
        severity="error",
        title=head,
        onset=0,
        evidence=(evidence,),
        causes=(cause,),
        fixes=(fix,),
        harmless="Nothing is to be trained: the model is only looked at.",
        check="update_ratio of some kernel is above 0 at the first steps.",
    )
