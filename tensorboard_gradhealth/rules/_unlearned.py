"""Why a model may have learned nothing: the gradient, the layers, the loss, the labels."""

from __future__ import annotations

import math
import re

import numpy as np

from tensorboard_gradhealth.rules._support import likely_first
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, quoted
from tensorboard_gradhealth.types import Cause

_OF_KERAS = (  # beginnings of the names of losses that bring both to one shape first
    "mean_",
    "binary_",
    "categorical_",
    "sparse_",
    "huber",
    "log_cosh",
    "kl_divergence",
    "poisson",
    "hinge",
    "squared_hinge",
    "cosine_similarity",
    "dice",
    "tversky",
    "ctc",
)
_PLAIN = re.compile(r"(.*/)?(dense|conv[123]d)(_\d+)?/kernel")


def unlearned_causes(view: View, share: float, worse: bool) -> tuple[Cause, ...]:
    """What can be wrong, by the share of the gradient that kernels get.

    Args:
      view: With the rule's limit `blocked`.
      share: As `share_of_kernels`.
      worse: Whether the loss is above that of guessing.
    """
    blocked = Cause("no gradient reaches the weights")
    if share < view.limits["blocked"]:
        support = f"gradient_norm: the kernels get {number(share)} of the gradient"
        blocked = Cause(blocked.text, "likely", support)
    elif math.isfinite(share):
        blocked = Cause(blocked.text, "ruled out")
    unreachable = Cause("the output activation cannot reach the values of the labels")
    return likely_first(
        blocked,
        *((unreachable,) if worse else ()),
        Cause("the labels do not depend on the inputs, as far as this model can tell"),
        Cause("the learning rate is far too low, or was far too high at the start"),
    )


def share_of_kernels(view: View) -> float:
    """Share of the gradient's norm that the largest kernel gradient has; NaN if unknown."""
    if not (view.has("gradient_norm") and view.has("gradient_global_norm")):
        return math.nan
    kernels = view.past("gradient_norm", 10)[:, view.where("gradient_norm", "kernel")]
    whole = view.past("gradient_global_norm", 10)[:, 0]
    if not kernels.size or len(kernels) != len(whole):
        return math.nan
    return float(np.median(np.nan_to_num(kernels.max(axis=1) / whole)))


def linear_cause(view: View) -> tuple[Cause, ...]:
    """That several layers in a row have no activation function, and so are worth one."""
    fans = view.facts.get("kernel_fans") or {}
    if len(fans) < 2 or not view.has("gradient_norm") or not view.facts.get("loss"):
        return ()
    # Inside of other layers, functions are not seen.
    rows = [row for row in view.rows("gradient_norm") if row.role == "kernel"]
    if not all(_PLAIN.fullmatch(row.name) for row in rows):
        return ()
    if not all(head["activation"] for head in view.facts.get("outputs") or [{"activation": ""}]):
        return ()  # what a `call` of one's own does is not seen
    seen = "activation_nonfinite"
    if view.has(seen) and view.where(seen, "hidden").any():
        return ()
    text = "no layer has an activation function: all of them together are one linear map"
    return (Cause(text, "likely", "the model: no activation between its kernels"),)


def broadcast_cause(view: View) -> tuple[Cause, ...]:
    """That a loss of one's own may compare each target with each output, which Keras' do not."""
    heads = view.facts.get("outputs") or []
    if len(heads) != 1 or heads[0]["units"] != 1 or not _is_own(heads[0]["loss"]):
        return ()
    name = quoted(heads[0]["loss"])
    return (Cause(f"{name} subtracts shapes (n,) and (n, 1), which makes (n, n) differences"),)


def _is_own(loss: str) -> bool:
    return bool(loss) and not loss.startswith(_OF_KERAS)
