"""The gradient of a batch is mostly noise.

## Meaning
The gradients of single samples differ so much that the mean over a batch says little about the
mean over all of them: most of each step is chance.

## Why it matters
Steps that cancel each other cost as much as steps that add up. A larger batch, gradient
accumulation or a lower learning rate then buys progress, where other changes do not.

## How it is measured
`gradient_noise_scale` = tr(covariance of the gradients of single samples) / |mean gradient|^2, in
samples: the batch size at which noise and signal are about even (McCandlish et al.). Information
if ALL hold:

- its median over the kept probes, at least `probes` of them, is over `ratio` times the batch size
- the recent loss fell by less than `progress`
- the loss has not fallen by `learned` since the start, because the scale rises without harm as a
  network comes to its end

Never more than information: the estimate has no sharp limit, and a small batch may be all that
fits.

## Likely causes
- a batch that is small for the task, or labels with much noise in them
- a learning rate that keeps the network where only noise is left
- no signal in the data

## Fixes
Accumulate gradients over several batches, or use larger ones; lower the learning rate; average
the weights.

## False alarms
BatchNormalization couples the samples of a batch, and weights of samples change their shares:
the scale is then rough. Where the square of the mean gradient cannot be told from 0, it is not
measured.

## References
- McCandlish et al., An Empirical Model of Large-Batch Training, arXiv 1812.06162
- Liu et al., Understanding Why Neural Networks Generalize Well Through GSNR of Parameters, 2020
"""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, case
from tensorboard_gradhealth.rules._support import likely_first, loss_drop, recent_loss_drop
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import lower_learning_rate, number, optimizer_class
from tensorboard_gradhealth.types import Cause, Evidence, Fix

_SIGNAL = "gradient_noise_scale"


def check(view: View) -> Sign | None:
    """A sign while noise outweighs the batch and the loss stands still."""
    batch = view.facts.get("batch_size")
    if not isinstance(batch, int) or batch < 1:
        raise NotEvaluated("the size of a batch is not known")
    scale = view.past(_SIGNAL)[:, 0]
    scale = scale[np.isfinite(scale)]
    if len(scale) < view.limits["probes"]:
        raise NotEvaluated(f"needs {view.limits['probes']:.0f} probes of the gradient noise")
    typical, limits = float(np.median(scale)), view.limits
    ratio, recent = typical / batch, recent_loss_drop(view)
    if not (ratio > limits["ratio"] and recent < limits["progress"]):
        return None
    if loss_drop(view) > limits["learned"]:
        return None
    step = view.record.step
    return Sign(
        severity="info",
        title=f"Gradients are mostly noise: {number(typical)} samples would be needed, not {batch}",
        evidence=(
            Evidence("noise scale / batch size", ratio, limits["ratio"], "", _SIGNAL, step),
            Evidence("fall of the recent loss", recent, limits["progress"], "", "loss", step),
        ),
        causes=_causes(view),
        fixes=_fixes(view, batch, typical),
        harmless="The loss is at what the data allow, or the batch is all that fits.",
        check="gradient_noise_scale is at most about ten times the batch size, or the loss falls.",
    )


def _causes(view: View) -> tuple[Cause, ...]:
    small = Cause("the batch is small for this task")
    no_signal = Cause("the inputs say little about the labels")
    ratios = view.latest("gradient_snr") if view.has("gradient_snr") else np.empty(0)
    finite = ratios[np.isfinite(ratios)]
    if len(finite) and float(finite.max()) < 1e-3:
        support = f"gradient_snr: at most {number(float(finite.max()))} in every variable"
        no_signal = Cause(no_signal.text, "likely", support)
    return likely_first(small, no_signal, Cause("the learning rate is too high for what is left"))


def _fixes(view: View, batch: int, scale: float) -> tuple[Fix, ...]:
    times = 2 ** min(max(math.ceil(math.log2(scale / batch)), 1), 6)
    name = optimizer_class(view) or "Adam"
    accumulate = f"keras.optimizers.{name}(learning_rate, gradient_accumulation_steps={times})"
    return (
        Fix(f"Average the gradients of {times} batches before each step.", accumulate),
        lower_learning_rate(view, 0.1),
    )


def _noise(scale: float, loss: Measures) -> Measures:
    return {_SIGNAL: lambda s: scale if s % 20 == 0 else None, **loss}


_LEARNS: Measures = {"loss": lambda s: 2.3 * 0.995**s}
_STALLS: Measures = {"loss": lambda s: 2.3 + 0.1 * (s % 3)}
_BATCH = {"batch_size": 32, "optimizer": "Adam"}

RULE = Rule(
    name="noise_dominated",
    code="GH505",
    group="gradient",
    requires=(_SIGNAL, "loss"),
    limits={"ratio": 10, "probes": 10, "progress": 0.01, "learned": 0.5},
    hold=5,
    explained_by=(
        "unscaled_inputs",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "dead_units",
        "vanishing_gradients",
    ),
    references=(
        "McCandlish et al. 2018, An Empirical Model of Large-Batch Training (arXiv 1812.06162)",
        "Liu et al. 2020, Understanding Why Neural Networks Generalize Well Through GSNR of "
        "Parameters (arXiv 2001.07384)",
    ),
    check=check,
    healthy=(
        case("noise below the batch size", run=_noise(20, _STALLS), facts=_BATCH, steps=600),
        case("much noise, and the loss falls", run=_noise(9e3, _LEARNS), facts=_BATCH, steps=400),
        case(
            "a network that has learned",
            run=_noise(9e5, {"loss": lambda s: 2.3 if s < 40 else 0.01 + 1e-3 * (s % 3)}),
            facts=_BATCH,
            steps=600,
        ),
        case("an unknown batch size", run=_noise(9e3, _STALLS), steps=600),
    ),
    sick=(
        case(
            "a hundred times as much noise as the batch averages out",
            run=_noise(3200, _STALLS),
            facts=_BATCH,
            steps=600,
            severity="info",
            onset=171,
        ),
    ),
)
