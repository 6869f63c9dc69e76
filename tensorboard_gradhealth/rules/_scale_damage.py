"""What shows that the scale of the inputs hurts: a loss that starts too high, a dead layer."""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._layers import worst_layer
from tensorboard_gradhealth.rules._support import median_loss
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.types import Evidence


def scale_damage(view: View) -> tuple[Evidence, ...]:
    """What shows that the scale hurts; empty if nothing does."""
    return tuple(found for found in (_high_loss(view), _dead_layer(view)) if found)


def _high_loss(view: View) -> Evidence | None:
    first, expected = median_loss(view, first=True), _expected_loss(view)
    limit = view.limits["loss_ratio"]
    if not first > limit * expected > 0:
        return None
    return Evidence("first loss / expected loss", first / expected, limit, "", "loss")


def _dead_layer(view: View) -> Evidence | None:
    signal, limit, step = "dead_fraction", view.limits["dead"], view.record.step
    if not view.has(signal):
        return None
    label = "share of units that are dead"
    return worst_layer(view, signal, view.latest(signal), label, limit, step)


def _expected_loss(view: View) -> float:
    """Entropy of the labels for a cross-entropy, else the loss after the first 20 steps."""
    if "crossentropy" in str(view.facts.get("loss", "")) and view.has("label_counts"):
        counts = view.latest("label_counts", "count")
        share = counts[counts > 0] / counts[counts > 0].sum()
        return float(-(share * np.log(share)).sum())
    return median_loss(view) if view.record.step >= 20 else math.nan
