"""Kernels of equal elements: all units of their layer are copies, and may stay so."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._initial import layer_code, starts
from tensorboard_gradhealth.rules._support import Start
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity


def alike(view: View, start: Start) -> Sign | None:
    """A sign for kernels of equal elements other than 0, or two of any in a row."""
    rows, zeros = view.rows("initial_weights"), view.latest("initial_weights", "zero_fraction")
    kernels = np.flatnonzero(view.where("initial_weights", "kernel"))
    pairs = [
        (int(a), int(b))
        for a, b in itertools.pairwise(kernels)
        if start.constant[a] and start.constant[b] and not zeros[a] == zeros[b] == 1
    ]
    alone = np.flatnonzero(start.constant & start.several & (zeros < 1))
    found = list(dict.fromkeys(itertools.chain(*pairs))) or [int(i) for i in alone]
    if not found:
        return None
    names = [rows[i].name for i in found]
    std = float(view.latest("initial_weights", "std")[found[0]])
    evidence = Evidence(
        "standard deviation of the kernel", std, 0.0, "", "initial_weights", row=names[0]
    )
    text = "kernels of equal elements make all units of a layer copies of each other"
    head = title("All units of {} start alike", names[0], len(names) - 1)
    cause = Cause(text, "likely", "initial_weights: no spread")
    # What follows one such kernel may tell its units apart, in time.
    return _sign(view, "error" if pairs else "warning", head, names, evidence, cause)


def stuck(view: View, start: Start) -> Sign | None:
    """A sign for kernels of zeros whose own gradient is exactly 0, so that they stay zeros."""
    zeros = start.constant & (view.latest("initial_weights", "zero_fraction") == 1)
    if not (zeros.any() and view.has("gradient_norm")):
        return None
    gradient = np.concatenate(
        [view.early("gradient_norm", field="max"), view.past("gradient_norm")]
    )
    if gradient.shape[-1] != len(start.size) or not len(gradient):
        return None
    still = np.flatnonzero(zeros & (gradient == 0).all(axis=0))
    if not len(still):
        return None
    names = [view.rows("initial_weights")[i].name for i in still]
    largest, step = float(gradient[:, still].max()), view.record.step
    evidence = Evidence(
        "largest gradient so far", largest, 0.0, "", "gradient_norm", step, names[0]
    )
    head = title(f"{{}} {starts(names)} at 0 without a gradient", names[0], len(names) - 1)
    text = "zeros in front of zeros, or of a ReLU, let no gradient through to change them"
    cause = Cause(text, "likely", "gradient_norm: exactly 0 so far")
    return _sign(view, "error", head, names, evidence, cause)


def _sign(
    view: View,
    severity: Severity,
    head: str,
    names: Sequence[str],
    evidence: Evidence,
    cause: Cause,
) -> Sign:
    text = "Draw the kernels at random; zeros are right for biases only."
    return Sign(
        severity=severity,
        title=head,
        layers=tuple(names),
        onset=0,
        evidence=(evidence,),
        causes=(cause,),
        fixes=(Fix(text, layer_code(view, names[0])),),
        harmless="The layer is to stay switched off.",
        check="initial_weights shows a standard deviation above 0 for every kernel.",
    )
