"""Whether the labels come mixed, or one class after the other."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.rules._answers import until_new
from tensorboard_gradhealth.rules._view import View

Doubles = npt.NDArray[np.float64]

MIXED = 0.3
"""Share of the entropy of all labels that the labels of one record have at least, if shuffled."""


def entropy(counts: Doubles) -> Doubles:
    """In nats: `[...]` of counts or shares `[..., classes]`."""
    share = counts / counts.sum(axis=-1, keepdims=True)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1))).sum(axis=-1), np.float64)


@until_new("label_counts")
def order(view: View) -> float:
    """Mean entropy of the labels between records over that of all; NaN with too few of them."""
    if not view.has("label_counts"):
        return math.nan
    past = view.past("label_counts", field="count").astype(np.float64)
    added = np.diff(past, axis=0)
    added = added[added.sum(axis=1) >= 16]
    if len(added) < 6 or (added < 0).any():
        return math.nan
    return float(entropy(added).mean() / entropy(past[-1]))
