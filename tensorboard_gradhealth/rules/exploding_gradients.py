"""Gradients grow out of all proportion to what they were.

## Meaning
The gradient of the whole network is more than a hundred times its own usual size and stays
there, or it at least doubles from record to record while the weights change by a large part of
themselves.

## Why it matters
One step along such a gradient undoes what thousands have built, and often ends in NaN.

## How it is measured
On `gradient_global_norm`, before clipping. Either:

- `growth` records in a row each at least double it, and the largest `update_ratio` of a kernel
  exceeds `update` (a warning; an error if the gradient has grown by more than `surge` in all)
- or for three records in a row it is over `surge` times the median of the kept past AND over
  `above_start` times the median of the first 20 steps, after step `warm_up`

The second condition guards networks that have learned: their gradients are so small that noise
multiplies them by a thousand (measured: 100 to 1000 in healthy runs) without harm. No absolute
limit is used, because a gradient depends on the unit of the loss.

## Likely causes
- the learning rate is too high, or too high for what was reached
- deep or recurrent networks whose weights have grown
- a batch with extreme values

## Fixes
Clip the global norm near its usual value; lower the learning rate; look at the batch.

## False alarms
Single spikes of recurrent networks and Transformers are not reported. A change of task, of the
data set or of the loss in the middle of a run shifts the scale.

## References
- Pascanu et al., On the difficulty of training Recurrent Neural Networks, arXiv 1211.5063
- Godbole et al., Deep Learning Tuning Playbook, 2023
"""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, kernel
from tensorboard_gradhealth.rules._loss import endless_since
from tensorboard_gradhealth.rules._support import (
    FIRST_STEPS,
    initial_weights_cause,
    input_scale_cause,
    learning_rate_cause,
    likely_first,
)
from tensorboard_gradhealth.rules._view import Floats, View
from tensorboard_gradhealth.rules._wording import number, optimizer_class
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity

_HIGH = 3  # Records in a row that must be high: a single batch is a spike, not an explosion.


def check(view: View) -> Sign | None:
    """A sign while the gradient doubles at every record, or stays far over its own past."""
    if endless_since(view) is not None:
        return None  # `loss_divergence` tells of a loss that falls without end
    norm = view.past("gradient_global_norm")[:, 0]
    if len(norm) <= view.limits["growth"]:
        raise NotEvaluated(f"needs {view.limits['growth'] + 1:.0f} records")
    return _growing(view, norm) or _surged(view, norm)


def _growing(view: View, norm: Floats) -> Sign | None:
    count = int(view.limits["growth"])
    run = norm[-count - 1 :]
    if not (np.isfinite(run) & (run > 0)).all() or (run[1:] < 2 * run[:-1]).any():
        return None
    if not _largest_update(view) > view.limits["update"]:
        return None
    factor = float(run[-1] / run[0])
    onset = int(view.past_steps("gradient_global_norm", count + 1)[1, 0])
    severity: Severity = "error" if factor > view.limits["surge"] else "warning"
    return _sign(view, severity, factor, 2.0**count, f"gradient norm / {count} records ago", onset)


def _surged(view: View, norm: Floats) -> Sign | None:
    if view.record.step < view.limits["warm_up"] or len(norm) < 30:
        return None
    usual, low = _finite_median(norm[:-_HIGH]), float(norm[-_HIGH:].min())
    if not (usual > 0 and low > view.limits["surge"] * usual):
        return None
    start = _finite_median(view.early("gradient_global_norm", FIRST_STEPS))
    if not math.inf > low > view.limits["above_start"] * start:
        return None
    onset = int(view.past_steps("gradient_global_norm", _HIGH)[0, 0])
    factor = float(norm[-1]) / usual
    return _sign(view, "error", factor, view.limits["surge"], "gradient norm / its median", onset)


def _finite_median(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan


def _largest_update(view: View) -> float:
    if not view.has("update_ratio"):
        return math.nan
    ratio = np.where(view.where("update_ratio", "kernel"), view.latest("update_ratio", "max"), 0)
    return float(np.nanmax(ratio, initial=0))


def _sign(
    view: View, severity: Severity, factor: float, limit: float, label: str, onset: int
) -> Sign:
    step, layers = view.record.step, _largest_kernels(view)
    signal, norm = "gradient_global_norm", view.scalar("gradient_global_norm")
    return Sign(
        severity=severity,
        title=f"The gradient has grown {number(factor)}-fold",
        layers=layers,
        onset=onset,
        evidence=(
            Evidence(label, factor, limit, "", signal, step),
            Evidence("gradient norm", norm, None, "loss per parameter unit", signal, step),
        ),
        causes=likely_first(
            learning_rate_cause(view),
            input_scale_cause(view),
            initial_weights_cause(view),
            Cause("the weights of a deep or recurrent part have grown"),
            Cause("a batch with extreme values"),
        ),
        fixes=_fixes(view),
        harmless="The task, the data or the loss was changed at this step.",
        check="gradient_global_norm stays within a factor of 10 of its median.",
    )


def _largest_kernels(view: View) -> tuple[str, ...]:
    if not view.has("gradient_norm"):
        return ()
    norm = view.latest("gradient_norm")
    rows = view.rows("gradient_norm")
    order = np.argsort(-np.nan_to_num(norm, nan=-1, posinf=np.inf), kind="stable")
    return tuple(rows[i].name for i in order[:1] if norm[i] > 0)


def _fixes(view: View) -> tuple[Fix, ...]:
    usual = _finite_median(view.past("gradient_global_norm"))
    name = optimizer_class(view) or "Adam"
    clip = f"{usual:.1g}" if math.isfinite(usual) and usual > 0 else "1.0"
    return (
        Fix(
            "Clip the norm of the whole gradient near its usual value.",
            f"keras.optimizers.{name}(learning_rate, global_clipnorm={clip})",
        ),
        Fix("Lower the learning rate, or let it rise over the first steps (warm-up)."),
    )


_ROWS: Rows = {"variable": (kernel("lstm/kernel"), kernel("dense/kernel"))}


def _update(ratio: float) -> Measures:
    return {"update_ratio": lambda s: [ratio, 0.01], "gradient_norm": lambda s: [3.0, 1.0]}


RULE = Rule(
    name="exploding_gradients",
    code="GH502",
    group="gradient",
    requires=("gradient_global_norm",),
    limits={"surge": 100, "above_start": 10, "growth": 5, "update": 0.1, "warm_up": 30},
    explained_by=(
        "unscaled_inputs",
        "class_imbalance",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "unstable_step",
    ),
    references=(
        "Pascanu et al. 2013, On the difficulty of training Recurrent Neural Networks "
        "(arXiv 1211.5063)",
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
    ),
    check=check,
    healthy=(
        case(
            "large, but it always was",
            rows=_ROWS,
            run={"gradient_global_norm": lambda s: 3e5 * (1 + 0.3 * math.sin(s))},
            variable=_update(0.01),
        ),
        case(
            "one spike",
            rows=_ROWS,
            run={"gradient_global_norm": lambda s: 900 if s == 45 else 1},
            variable=_update(0.01),
            steps=100,
        ),
        case(
            "noise of a network that has learned",
            rows=_ROWS,
            run={"gradient_global_norm": lambda s: (1 if s < 40 else 1e-6) * (1 + 500 * (s > 900))},
            variable=_update(1e-4),
            steps=1200,
        ),
        case(
            "a learning rate that warms up",
            rows=_ROWS,
            run={"gradient_global_norm": lambda s: 1e-3 * 2.5 ** min(s, 8)},
            variable=_update(0.02),
        ),
    ),
    sick=(
        case(
            "doubling at every step from step 10",
            rows=_ROWS,
            run={"gradient_global_norm": lambda s: 2.2 ** max(0, s - 9)},
            variable=_update(0.3),
            steps=40,
            severity="warning",
            layers=("lstm/kernel",),
            onset=10,
        ),
        case(
            "it jumps and stays",
            rows=_ROWS,
            run={"gradient_global_norm": lambda s: 1 if s < 45 else 500},
            variable=_update(0.05),
            steps=60,
            severity="error",
            layers=("lstm/kernel",),
            onset=45,
        ),
    ),
)
