"""Ways in which some kernels stand still while others move: by path, by gradient, by update."""

from __future__ import annotations

import dataclasses

import numpy as np

from tensorboard_gradhealth.rules._support import loss_drop, recent_loss_drop
from tensorboard_gradhealth.rules._view import Bools, Floats, View


@dataclasses.dataclass(frozen=True, slots=True)
class Still:
    """A way to stand still, and the rows that do; `expected` where it can be meant."""

    rows: Bools
    title: str
    label: str
    signal: str
    cause: str
    support: str
    expected: bool = False


def no_path(view: View, past: Floats) -> Still | None:
    own_loop = not view.facts.get("loss")
    if own_loop and (view.record.step < view.limits["called"] or _several(view)):
        return None  # A step of one's own may leave variables out, and take them up later.
    never = np.isnan(past).all(axis=0) & np.isnan(view.early("gradient_norm")).all(axis=0)
    never &= ~view.measured("gradient_norm")
    if own_loop:
        return Still(
            np.asarray(never),
            "The optimizer is never given {}",
            "gradients that were measured",
            "gradient_norm",
            "the optimizer is given some of the trainable variables only",
            "gradient_norm: never measured, while other weights have one",
        )
    return Still(
        np.asarray(never),
        "No path leads from {} to the loss",
        "gradients that were measured",
        "gradient_norm",
        "the output of the layer is not used, or not by differentiable operations",
        "gradient_norm: never measured, while other weights have one",
        expected=any(not head["loss"] for head in view.facts.get("outputs", ())),
    )


def no_gradient(view: View, past: Floats) -> Still | None:
    zero = (past == 0).all(axis=0)
    early = view.early("gradient_norm", field="max")
    always = zero & (early == 0).all(axis=0)
    # One that had a gradient may have done its work.
    learns = loss_drop(view) > view.limits["learned"]
    stuck = not learns and recent_loss_drop(view) < view.limits["progress"]
    rows = zero if stuck else always
    return Still(
        np.asarray(rows),
        "No gradient reaches {}",
        "largest gradient norm",
        "gradient_norm",
        "what follows the layer has a derivative of 0: argmax, rounding, stop_gradient, or "
        "attention over one element",
        "gradient_norm: exactly 0, while other weights have one",
    )


def no_change(view: View, past: Floats) -> Still | None:
    if not (view.has("update_ratio") and view.scalar("learning_rate", "min") > 0):
        return None
    # Accumulated gradients are applied at steps that sampling may never meet.
    if view.facts.get("gradient_accumulation", 1) != 1 or view.scalar("skipped_steps") > 0:
        return None
    change = view.past("update_ratio", field="max")
    if len(change) < view.limits["records"] or change.shape[-1] != past.shape[-1]:
        return None
    moves = view.where("update_ratio", "kernel") & (change > 0).any(axis=0)
    still = (change == 0).all(axis=0) & (past > 0).all(axis=0)
    return Still(
        np.asarray(still & moves.any()),
        "{} gets a gradient and does not move",
        "largest update ratio",
        "update_ratio",
        "the optimizer does not change it, or its precision rounds the change away",
        "update_ratio: exactly 0, while other kernels move",
    )


def _several(view: View) -> bool:
    """Whether several optimizers, or none that is known, share the variables of the loop."""
    name = str(view.facts.get("optimizer", ""))
    return not name or "," in name
