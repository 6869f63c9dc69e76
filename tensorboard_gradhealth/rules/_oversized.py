"""Initial weights that are too large: of a kernel, of many together, or of what blocks add up."""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._initial import scaling_fixes, size_evidence, starts
from tensorboard_gradhealth.rules._layers import worst_layer
from tensorboard_gradhealth.rules._loss import first_loss, guessing
from tensorboard_gradhealth.rules._support import Start, input_scale, input_scale_cause
from tensorboard_gradhealth.rules._view import Bools, Steps, View
from tensorboard_gradhealth.rules._wording import number, shown, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity


def oversized(view: View, start: Start) -> Sign | None:
    """A sign for kernels that are too large, if the damage is seen or cannot be."""
    judged = ~view.normalised("initial_weights") & np.isfinite(start.size)
    limits = _largest_sizes(view)
    large = np.flatnonzero(judged & (start.size > [view.limits[limit] for limit in limits]))
    alone = bool(len(large))
    if not alone and _first_loss_ratio(view) > view.limits["lost"]:
        large = _large_together(view, start, judged)
    if not len(large):
        return None
    worst = [int(i) for i in large[np.argsort(-start.size[large], kind="stable")]]
    damage, severity = _damage(view)
    if severity is None:
        return None
    limit = limits[worst[0]] if alone else "above"
    return _sign(view, start, worst, limit, damage, severity)


def _sign(
    view: View,
    start: Start,
    worst: list[int],
    limit: str,
    damage: tuple[Evidence, ...],
    severity: Severity,
) -> Sign:
    names = [view.rows("initial_weights")[i].name for i in worst]
    size = float(start.size[worst[0]])
    head = f"{{}} {starts(names)} at {number(size)} times the usual size"
    return Sign(
        severity=severity,
        title=title(head, names[0], len(names) - 1),
        layers=tuple(names),
        onset=0,
        evidence=(size_evidence(view, names[0], size, limit), *damage),
        causes=(_scale_cause(view, worst[0], damage), input_scale_cause(view)),
        fixes=scaling_fixes(view, names[0]),
        harmless="The layer's own function divides by that scale, or its output is normalised.",
        check="The first loss is near that of guessing, and the sizes are near 1.",
    )


def _scale_cause(view: View, row: int, damage: tuple[Evidence, ...]) -> Cause:
    std = float(view.latest("initial_weights", "std")[row])
    text = f"an initializer of a fixed scale: the kernel has a standard deviation of {number(std)}"
    return shown(text, damage)


def _large_together(view: View, start: Start, judged: Bools) -> Steps:
    """Kernels that are too large only because there are many, or are passed many times."""
    recurrent = np.array([limit == "recurrent" for limit in _largest_sizes(view)], bool)
    size = np.where(judged, start.size, 0)
    above = size > view.limits["above"]
    if size[above].prod() > view.limits["together"]:
        return np.flatnonzero(above)
    return np.flatnonzero(recurrent & above)


def _largest_sizes(view: View) -> list[str]:
    """Name of the limit of each kernel's size."""
    recurrent = (row.name.endswith("recurrent_kernel") for row in view.rows("initial_weights"))
    return ["recurrent" if is_recurrent else "large" for is_recurrent in recurrent]


def _damage(view: View) -> tuple[tuple[Evidence, ...], Severity | None]:
    """What shows that large weights hurt, and how much; None if it was looked for in vain."""
    flat = _flat_layer(view)
    ratio = _first_loss_ratio(view)
    by_inputs = input_scale_cause(view).confidence == "likely"  # the loss may be their doing
    limits = view.limits
    if ratio > limits["loss_ratio"] and not by_inputs:
        lost = ratio > limits["lost"]
        limit = limits["lost" if lost else "loss_ratio"]
        label = "first loss / loss of guessing"
        return (Evidence(label, ratio, limit, "", "loss"), *flat), "error" if lost else "warning"
    if flat:
        return flat, "warning"
    unknown = math.isnan(ratio) and not view.has("saturated_fraction")
    return (), "info" if unknown else None


def _flat_layer(view: View) -> tuple[Evidence, ...]:
    signal, limit = "saturated_fraction", view.limits["flat"]
    if not view.has(signal):
        return ()
    early = view.early(signal, 2)  # before learning can have done it
    share = np.nan_to_num(early, nan=0).max(axis=0, initial=0)
    worst = worst_layer(view, signal, share, "share of outputs that are saturated", limit)
    return (worst,) if worst else ()


def oversized_outputs(view: View) -> Sign | None:
    """A sign where usual kernels give outputs that are far too large all the same.

    The gradient tells a large output from a large penalty, which has a small one.
    """
    ratio, limit, scale = _first_loss_ratio(view), view.limits["lost"], input_scale(view)
    if not ratio > limit or not view.has("gradient_global_norm"):
        return None
    norm = float(view.early("gradient_global_norm", 0, "max").sum())
    if not norm > max(100.0, first_loss(view)) or (scale is not None and scale.rms > 3):
        return None
    text = "the signal grows from block to block: residual branches add up"
    support = "initial_weights: no kernel is too large by itself"
    zeros = 'keras.layers.Dense(units, kernel_initializer="zeros")'
    return Sign(
        severity="error",
        title=f"The outputs start far too large: the first loss is {number(ratio)} x guessing",
        onset=0,
        evidence=(
            Evidence("first loss / loss of guessing", ratio, limit, "", "loss"),
            Evidence("norm of the first gradient", norm, 100.0, "", "gradient_global_norm"),
        ),
        causes=(Cause(text, "likely", support), input_scale_cause(view)),
        fixes=(
            Fix("Normalise what enters each branch.", "keras.layers.LayerNormalization()"),
            Fix("Or let the last layer of each branch start at 0.", zeros),
        ),
        harmless="Never: what these outputs are worth is thrown away by the first steps.",
        check="The first loss is near that of guessing.",
    )


def _first_loss_ratio(view: View) -> float:
    """First loss / loss of guessing; NaN if unknown, as for a sum over the samples of a batch."""
    if any(head.get("reduction") == "sum" for head in view.facts.get("outputs") or ()):
        return math.nan
    first = first_loss(view)
    if math.isnan(first) and view.has("loss") and view.early("loss").size:
        first = math.inf  # it is beyond all numbers
    guess = loss_before_learning(view)
    return first / guess if guess > 0 else math.nan


def loss_before_learning(view: View) -> float:
    """What guessing gives; the larger estimate where there are two. NaN if unknown."""
    guess, expected = guessing(view), view.scalar("expected_initial_loss")
    return float(np.fmax(expected, guess.loss if guess else math.nan))
