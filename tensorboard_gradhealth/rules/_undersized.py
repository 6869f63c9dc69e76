"""Initial weights that are too small: most kernels, or those of many layers together."""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._flow import embeddings_in_front, passed_kernels
from tensorboard_gradhealth.rules._initial import scaling_fixes, size_evidence, starts
from tensorboard_gradhealth.rules._support import Start, loss_drop
from tensorboard_gradhealth.rules._view import Floats, View
from tensorboard_gradhealth.rules._wording import number, percent, title
from tensorboard_gradhealth.types import Cause, Evidence, Severity

_UNDERFLOW = 1e-20  # float32 ends at 1e-38, and gradients at the end are far below 1


def undersized(view: View, start: Start) -> Sign | None:
    """A sign for kernels that let hardly any signal through, or hardly any gradient back."""
    size = np.where(view.normalised("initial_weights") | start.constant, np.nan, start.size)
    small, ratio = np.flatnonzero(size < view.limits["small"]), _gradient_ratio(view)
    faint = ratio < view.limits["gradient_ratio"] and (ratio > 0 or _underflows(size))
    passed = float(np.prod(np.fmin(size[np.isfinite(size)], 1)))
    together = len(small) < max(2, np.isfinite(size).sum() / 2)
    if together:
        faded = faint and passed < view.limits["faded"]
        if not faded or view.where("initial_weights", "norm").any():
            return None
        small = np.flatnonzero(size < 1)
    if not faint and not np.nanmax(size) < view.limits["tiny"]:
        return None
    names = [view.rows("initial_weights")[i].name for i in small[np.argsort(size[small])]]
    certain = _stalled(view) or (faint and not together)
    severity: Severity = "warning" if certain else "info"
    if together:
        return _together(view, severity, names, ratio, passed)
    return _each(view, severity, names, ratio, faint, float(np.nanmin(size)))


def _stalled(view: View) -> bool:
    """Whether the loss has hardly fallen after a while."""
    late = view.record.step >= view.limits["stalled"]
    return late and loss_drop(view) < view.limits["progress"]


def _underflows(size: Floats) -> bool:
    """Whether kernels so small make a gradient of exactly 0; else something cuts it off."""
    return bool(np.nanprod(size.astype(np.float64)) < _UNDERFLOW)


def _gradient_ratio(view: View) -> float:
    """Gradient rms of the front over the largest, at the first record; NaN if unknown.

    The front is the first kernel, or an embedding in front of it that gets more.

    The largest may be that of a bias: where the signal is lost on its way forward, no kernel
    behind has a gradient either.
    """
    if not view.has("gradient_norm") or not len(view.early("gradient_norm")):
        return math.nan
    kernels, biases = passed_kernels(view), view.where("gradient_norm", "bias")
    rms = view.early("gradient_norm")[0] / np.sqrt(view.sizes("gradient_norm"))
    passed, largest = np.flatnonzero(kernels & (rms >= 0)), rms[(kernels | biases) & (rms > 0)]
    if not len(passed) or not len(largest):
        return math.nan
    front = max(float(rms[passed[0]]), embeddings_in_front(view, rms, int(passed[0])))
    return front / float(largest.max())


def _each(
    view: View, severity: Severity, names: list[str], ratio: float, faint: bool, smallest: float
) -> Sign:
    """Most kernels are too small, each by itself."""
    text = "weights of a fixed small scale, whatever the number of inputs"
    head = f"{{}} {starts(names)} at {percent(smallest)} of the usual size"
    evidence = size_evidence(view, names[0], smallest, "small")
    cause = Cause(text, "likely", _faintness(ratio)) if faint else Cause(text)
    return _sign(view, severity, head, names, evidence, ratio, cause)


def _together(
    view: View, severity: Severity, names: list[str], ratio: float, passed: float
) -> Sign:
    """No kernel is too small, but of a signal that passes all of them next to nothing is left."""
    text = f"of a signal, {len(names)} layers in a row without normalisation leave {passed:.1e}"
    head = f"{{}} let {passed:.1e} of a signal through in a row"
    label, limit = "product of rms / sqrt(2 / inputs) over the kernels", view.limits["faded"]
    evidence = Evidence(label, passed, limit, "", "initial_weights")
    cause = Cause(text, "likely", _faintness(ratio))
    return _sign(view, severity, head, names, evidence, ratio, cause)


def _faintness(ratio: float) -> str:
    return f"gradient_norm: the first kernel gets {number(ratio)} of what the largest gets"


def _sign(
    view: View,
    severity: Severity,
    head: str,
    names: list[str],
    evidence: Evidence,
    ratio: float,
    cause: Cause,
) -> Sign:
    label, limit = "gradient rms of the first kernel / the largest", view.limits["gradient_ratio"]
    fainter = Evidence(label, ratio, limit, "", "gradient_norm", view.record.step)
    return Sign(
        severity=severity,
        title=title(head, names[0], len(names) - 1),
        layers=tuple(names),
        onset=0,
        evidence=(evidence, fainter) if np.isfinite(ratio) else (evidence,),
        causes=(cause,),
        fixes=scaling_fixes(view, names[0]),
        harmless="The layers are bypassed by residual connections, or the loss falls all the same.",
        check="The sizes are near 1, and the gradient of the first kernel is above 0.01 of the "
        "largest.",
    )
