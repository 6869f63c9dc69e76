"""How much of the gradient reaches the front of a network: for rules on its first kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.rules._view import Bools, View

_BESIDE = ("query", "key")  # the layers of attention whose product is its weights


def passed_kernels(view: View) -> Bools:
    """Kernels through which the gradient has to pass on its way to the front; bool `[variables]`.

    What reaches queries and keys goes through the differences of attention weights, beside that
    way: next to nothing while attention is even, as it is at the start.
    """
    beside = [row.layer.rpartition("/")[2] in _BESIDE for row in view.rows("gradient_norm")]
    passed: Bools = view.where("gradient_norm", "kernel") & ~np.array(beside, bool)
    return passed


def embeddings_in_front(view: View, rms: npt.NDArray[np.floating[Any]], first: int) -> float:
    """The largest gradient of an embedding in front of the `first` kernel; 0 if there is none.

    The way to the front is open if it gets one. The many rows of it that no batch had make its rms
    only smaller.
    """
    in_front = view.where("gradient_norm", "embedding")[:first]
    return float(np.nan_to_num(rms[:first][in_front]).max(initial=0.0))
