"""Inputs of which nothing is left: all of them 0, or so small that no weight gets anywhere."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._support import Scale, loss_drop
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, shown
from tensorboard_gradhealth.types import Cause, Evidence, Fix

STANDARDISE = Fix(
    "Standardise the inputs inside the model.",
    "normalize = keras.layers.Normalization()\nnormalize.adapt(x_train)\n"
    "model = keras.Sequential([normalize, *model.layers])",
)


def blank(view: View) -> Sign | None:
    """A sign if every input was 0 so far, although not every label is the same."""
    fields = ("count", "min", "max", "std")
    count, low, high, std = (view.latest("input_features", field) for field in fields)
    inputs, targets = (view.where("input_features", role) for role in ("input", "target"))
    enough = view.limits["samples"] <= np.min(count[inputs], initial=np.inf) < np.inf
    if not enough or len(view.past("input_features", 2)) < 2:
        return None
    if not ((low[inputs] == 0) & (high[inputs] == 0)).all() or not _first_kernel_idles(view):
        return None
    if not ((std[targets] > 0).any() or _several_classes(view)):
        return None
    return _blank_sign(view, float(count[inputs].min()))


def _blank_sign(view: View, samples: float) -> Sign:
    step, support = view.record.step, "the first kernel gets none, as of inputs that are 0"
    text = "a cast to whole numbers, or scaling twice, leaves nothing"
    return Sign(
        severity="error",
        title="Every input is 0",
        onset=0,
        evidence=(
            Evidence("largest input", 0.0, 0.0, "", "input_features", step),
            Evidence("samples seen", samples, None, "", "input_features", step),
        ),
        causes=(Cause(text, "likely", f"gradient_norm: {support}"),),
        fixes=(
            Fix(
                "Look at what `fit` is given, and scale as floating point numbers.",
                'print(x_train.min(), x_train.max())\nx_train = x_train.astype("float32") / 255',
            ),
        ),
        harmless="The model is to learn how frequent the labels are, and nothing else.",
        check="input_features shows a standard deviation above 0.",
    )


def _several_classes(view: View) -> bool:
    return view.has("label_counts") and int((view.latest("label_counts", "count") > 0).sum()) > 1


def _first_kernel_idles(view: View) -> bool:
    """Whether the first kernel has had no gradient at all, which all of its inputs being 0 does."""
    if not view.has("gradient_norm"):
        return False
    kernels = np.flatnonzero(view.where("gradient_norm", "kernel"))
    early = view.early("gradient_norm", field="max")
    return bool(len(kernels) and len(early) and (early[:, kernels[0]] == 0).all())


def tiny(view: View, scale: Scale) -> Sign | None:
    """A sign if all inputs are so small that the weights of the first layer get nowhere."""
    limits, size = view.limits, max(scale.rms, scale.widest_rms)
    if not scale.largest < 5 * limits["tiny"]:
        return None  # sparse: what counts is not small
    if not (0 < size < limits["tiny"] and view.record.step >= limits["still"]):
        return None
    drop = loss_drop(view)
    if not drop < limits["far"] or view.where("input_features", "input").sum() < 2:
        return None
    return _tiny_sign(view, scale, size, drop)


def _tiny_sign(view: View, scale: Scale, size: float, drop: float) -> Sign:
    limits, step = view.limits, view.record.step
    label, limit = "largest typical size of a feature", limits["tiny"]
    fall = Evidence("fall of the loss / first loss", drop, limits["far"], "", "loss", step)
    return Sign(
        severity="warning",
        title=f"Inputs are tiny: no value is over {number(scale.largest)}",
        onset=0,
        evidence=(Evidence(label, size, limit, "", "input_features", step, scale.row), fall),
        causes=(
            shown("the inputs are scaled twice", [fall]),
            Cause("features in a unit that makes small numbers of them"),
        ),
        fixes=(
            STANDARDISE,
            Fix(
                "Or scale once: in the data or in the model.",
                'x_train = raw.astype("float32") / 255',
            ),
        ),
        harmless="A layer inside the model brings the inputs to a common scale.",
        check="The standard deviations of the features are near 1, and the loss falls.",
    )
