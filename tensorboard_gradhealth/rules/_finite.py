"""What brings a model back to finite numbers, by the first place where it lost them."""

from __future__ import annotations

import math

from tensorboard_gradhealth.rules._nonfinite import (
    Place,
    bad_inputs,
    causes,
    fed_nonfinite,
    label_cause,
    rate_cause,
)
from tensorboard_gradhealth.rules._support import in_half_precision
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import optimizer_class
from tensorboard_gradhealth.types import Fix

_FIND = Fix(
    "Find the line: with this in front of the model, TensorFlow stops there.",
    "tf.debugging.enable_check_numerics()",
)
_LABELS = Fix(
    "Look for labels that are not numbers or out of range, and drop their samples.",
    "bad = ~np.isfinite(y_train).reshape(len(y_train), -1).all(1)\n"
    "x_train, y_train = x_train[~bad], y_train[~bad]",
)
_STOP = Fix("Stop at the first NaN instead of going on.", "keras.callbacks.TerminateOnNaN()")
_HALF_PRECISION_FIXES = (
    Fix(
        "Compute in 16 bits, but keep weights in 32 and scale the loss.",
        'keras.config.set_dtype_policy("mixed_float16")',
    ),
    Fix(
        "Or use bfloat16, which has the range of float32.",
        'keras.config.set_dtype_policy("mixed_bfloat16")',
    ),
)


def fixes(view: View, first: Place) -> tuple[Fix, ...]:
    """What repairs the first place, by what may have made it bad."""
    rate = rate_cause(view, first)
    lower = (_clip(view),) if rate and rate[0].confidence != "ruled out" else ()
    if bad_inputs(view) > 0:
        return Fix("Repair the input first; see `nonfinite_inputs`."), *lower
    if in_half_precision(view):
        return _HALF_PRECISION_FIXES
    if label_cause(view, first):
        return (_LABELS, *lower)
    if first.signal == "weight_nonfinite":
        return *lower, _STOP
    guards = (*_crossentropy_fix(view, first), _guard(view, first), _FIND)
    return (*lower, *guards) if rate == causes(view, first)[:1] else (*guards, *lower)


def _clip(view: View) -> Fix:
    name, rate = optimizer_class(view) or "Adam", view.scalar("learning_rate", "max")
    lower = f"{rate / 10:.3g}" if 0 < rate < math.inf else "1e-4"
    return Fix(
        "Clip the gradient, and lower the learning rate.",
        f"optimizer = keras.optimizers.{name}({lower}, clipnorm=1.0)",
    )


def _crossentropy_fix(view: View, first: Place) -> tuple[Fix, ...]:
    """Only for a cross-entropy that is computed from probabilities."""
    heads = view.facts.get("outputs") or [{"loss": view.facts.get("loss", "")}]
    head = next((h for h in heads if "crossentropy" in h["loss"].replace("_", "")), None)
    if first.signal != "loss" or head is None or head.get("from_logits"):
        return ()
    several = "categorical" in head["loss"] or head.get("activation") == "softmax"
    kind = "Categorical" if several else "Binary"
    kind = f"Sparse{kind}" if "sparse" in head["loss"] else kind
    return (
        Fix(
            "Compute the cross-entropy from logits, and leave the last activation out.",
            f"loss = keras.losses.{kind}Crossentropy(from_logits=True)\n"
            "model.compile(optimizer, loss)",
        ),
    )


def _guard(view: View, first: Place) -> Fix:
    if first.signal == "gradient_nonfinite" and not fed_nonfinite(view, first):
        return Fix("Keep roots and norms away from 0.", "tf.sqrt(x + 1e-12)")
    return Fix(
        "Keep logarithms and divisions away from 0.",
        "tf.math.log(x + 1e-7)\ntf.math.divide_no_nan(x, y)",
    )
