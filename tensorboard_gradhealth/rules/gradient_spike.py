"""Single gradients stand far out from those around them.

## Meaning
Now and then, the gradient of the whole network is for a step or two many times what it usually
is, and then is back to normal.

## Why it matters
One such step can undo hundreds: with momentum or Adam its effect stays for many more. A single
spike is worth a look at its batch; several in a short time, while the loss does not fall, are
what holds the training back.

## How it is measured
On the largest `gradient_global_norm` of each record, before clipping. From step `first_judged`
on, in the kept past of at least `records` records, a spike is a record (or two in a row) for
which all hold:

- robust z = (ln norm - median of ln norm) / (1.4826 x median absolute deviation, at least 0.1) is
  over `z`
- the norm is over `factor` times the median of that past
- and over `above_start` times the median of the first 20 steps, because the gradients of a
  network that has learned are so small that noise multiplies them without harm

Information; a warning if there were `spikes` of them within `within` steps while the loss of the
recent records did not fall by `progress`, unless clipping took each of them in. Records from
before a change of the learning rate by more than half do not count. Measured over 10 healthy runs
the largest z was 4.7; public monitors of language models see 4.5.

## Likely causes
- a batch with extreme or mislabelled samples, or a very long sequence
- a learning rate near the largest that is stable
- a division or logarithm near zero in the loss

## Fixes
Clip the global norm at a few times its usual value; look at the batches of these steps; lower the
learning rate.

## False alarms
Recurrent networks and Transformers have a spike now and then, hence information. A level that
rises and stays is not a spike: see `exploding_gradients`. Silent while the learning rate rises.

## References
- Pascanu et al., On the difficulty of training Recurrent Neural Networks, arXiv 1211.5063
- Chowdhery et al., PaLM, arXiv 2204.02311, section 5.1 (spikes and the batches behind them)
- Rousseeuw & Croux, Alternatives to the Median Absolute Deviation, 1993
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, case
from tensorboard_gradhealth.rules._probes import overshoots
from tensorboard_gradhealth.rules._support import FIRST_STEPS, likely_first, recent_loss_drop
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, optimizer_class
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity

_SIGNAL = "gradient_global_norm"
_LONGEST = 2  # Records in a row that are still one spike and not another level.


@dataclasses.dataclass(frozen=True, slots=True)
class _Spike:
    """A record whose gradient stands out from the past around it."""

    first_step: int
    step: int
    norm: float
    z: float


def check(view: View) -> Sign | None:
    """A sign as long as a spike lies within the last `within` steps."""
    kept = _comparable(view)
    if kept.sum() < view.limits["records"]:
        raise NotEvaluated(f"needs {view.limits['records']:.0f} records at one learning rate")
    norm = view.past(_SIGNAL, field="max")[kept, 0].astype(np.float64)
    if not (np.isfinite(norm) & (norm > 0)).all():
        return None  # a gradient that is zero or not finite is no spike
    usual = float(np.median(norm))
    recent = view.record.step - view.limits["within"]
    spikes = [
        s for s in _spikes(view, norm, usual, view.past_steps(_SIGNAL)[kept]) if s.step > recent
    ]
    return _sign(view, spikes, usual) if spikes else None


def _comparable(view: View) -> npt.NDArray[np.bool_]:
    """Which records of the past can be compared: past the start, at about the present rate."""
    steps = view.past_steps(_SIGNAL)
    kept: npt.NDArray[np.bool_] = steps[:, 0] >= view.limits["first_judged"]
    if not view.has("learning_rate") or len(view.past("learning_rate")) != len(steps):
        return kept
    rate = view.past("learning_rate")[:, 0]
    return np.asarray(kept & (rate > 0.5 * rate[-1]) & (rate < 2 * rate[-1]))


def _spikes(
    view: View, norm: npt.NDArray[np.float64], usual: float, steps: npt.NDArray[np.int64]
) -> list[_Spike]:
    if not (norm > view.limits["factor"] * usual).any():
        return []
    logs = np.log(norm)
    distance = logs - np.median(logs)
    z = distance / (1.4826 * max(float(np.median(np.abs(distance))), 0.1))
    start = view.early(_SIGNAL, FIRST_STEPS)
    floor = view.limits["above_start"] * float(np.median(start)) if len(start) else 0.0
    high = (z > view.limits["z"]) & (norm > view.limits["factor"] * usual) & (norm > floor)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], high, [False]])))
    found = []
    for begin, end in edges.reshape(-1, 2):
        # One that reaches up to now may yet turn out to be a level that stays.
        if end - begin <= _LONGEST and end < len(norm):
            top = int(begin) + int(norm[begin:end].argmax())
            first, last = (int(step) for step in steps[top])
            found.append(_Spike(first, last, float(norm[top]), float(z[top])))
    return found


def _sign(view: View, spikes: list[_Spike], usual: float) -> Sign:
    top = max(spikes, key=lambda spike: spike.norm)
    many = len(spikes) >= view.limits["spikes"]
    stalls = recent_loss_drop(view) < view.limits["progress"]
    clipped = _clipped(view, spikes)
    severity: Severity = "warning" if many and stalls and not clipped else "info"
    factor = number(top.norm / usual)
    where = (
        f"step {top.step}"
        if top.first_step == top.step
        else f"steps {top.first_step} to {top.step}"
    )
    head = f"The gradient of {where} was {factor} times the usual one"
    if len(spikes) > 1:
        head = f"{len(spikes)} gradients stand out, one of them {factor} times the usual one"
    return Sign(
        severity=severity,
        title=head,
        onset=spikes[0].first_step,
        evidence=_evidence(view, spikes, top, usual),
        causes=_causes(view, top),
        fixes=_fixes(view, usual, clipped),
        harmless="The loss falls all the same: such steps are usual in Transformers.",
        check="gradient_global_norm stays within a factor of 10 of its median.",
    )


def _clipped(view: View, spikes: list[_Spike]) -> bool:
    """Whether clipping shortened the gradient of each spike."""
    if not view.has("clip_rate"):
        return False
    acted = view.past("clip_rate", field="max")[:, 0] > 0
    return {spike.step for spike in spikes} <= set(view.past_steps("clip_rate")[acted, 1])


def _evidence(view: View, spikes: list[_Spike], top: _Spike, usual: float) -> tuple[Evidence, ...]:
    limits, step = view.limits, view.record.step
    label = f"spikes within {limits['within']:.0f} steps"
    return (
        Evidence("robust z of the gradient norm", top.z, limits["z"], "", _SIGNAL, top.step),
        Evidence("norm / median", top.norm / usual, limits["factor"], "", _SIGNAL, top.step),
        Evidence(label, len(spikes), limits["spikes"], "", _SIGNAL, step),
    )


def _causes(view: View, top: _Spike) -> tuple[Cause, ...]:
    batch = Cause("a batch with extreme or mislabelled samples, or a very long sequence")
    rise = _loss_rise(view, top)
    if rise > 1.5:
        support = f"loss: it was {number(rise)} times its median at that step"
        batch = dataclasses.replace(batch, confidence="likely", support=support)
    rho = overshoots(view, 5)
    rate = Cause("the learning rate is near the largest that is stable")
    if len(rho) >= 3 and np.median(rho) > 1:
        support = f"step_overshoot: {number(float(np.median(rho)))}: steps raise their own loss"
        rate = dataclasses.replace(rate, confidence="likely", support=support)
    return likely_first(batch, rate, Cause("a division or logarithm near zero in the loss"))


def _loss_rise(view: View, spike: _Spike) -> float:
    """Loss at the spike over its median; NaN if unknown."""
    if not view.has("loss"):
        return math.nan
    at = np.flatnonzero(view.past_steps("loss")[:, 1] == spike.step)
    losses = view.past("loss", field="max")[:, 0]
    return float(losses[at[0]] / np.median(losses)) if len(at) else math.nan


def _fixes(view: View, usual: float, clipped: bool) -> tuple[Fix, ...]:
    name = optimizer_class(view) or "Adam"
    look = Fix("Look at the samples of that batch: extreme values, wrong labels, long sequences.")
    if clipped:
        return (look,)
    clip = Fix(
        "Clip the norm of the whole gradient at a few times its usual value.",
        f"keras.optimizers.{name}(learning_rate, global_clipnorm={3 * usual:.1g})",
    )
    return clip, look


def _norms(*spikes: int, height: float = 40.0, noise: float = 0.2) -> Measures:
    return {
        _SIGNAL: lambda s: (height if s in spikes else 1.0) * math.exp(noise * math.sin(1.7 * s)),
    }


_LEARNS: Measures = {"loss": lambda s: 2.3 * 0.995**s}
_STALLS: Measures = {"loss": lambda s: 2.3 + 0.1 * (s % 3)}

RULE = Rule(
    name="gradient_spike",
    code="GH503",
    group="gradient",
    requires=(_SIGNAL,),
    limits={
        "z": 8,
        "factor": 10,
        "above_start": 1,
        "spikes": 3,
        "within": 500,
        "progress": 0.01,
        "records": 30,
        "first_judged": 30,
    },
    explained_by=(
        "unscaled_inputs",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "unstable_step",
        "exploding_gradients",
    ),
    references=(
        "Pascanu et al. 2013, On the difficulty of training Recurrent Neural Networks "
        "(arXiv 1211.5063)",
        "Chowdhery et al. 2022, PaLM (arXiv 2204.02311), section 5.1",
        "Rousseeuw & Croux 1993, Alternatives to the Median Absolute Deviation",
    ),
    check=check,
    healthy=(
        case("even gradients", run={**_norms(), **_STALLS}, steps=600),
        case("noise of a factor of 8", run={**_norms(noise=1.0), **_STALLS}, steps=600),
        case("large gradients at the start", run={**_norms(0, 1, 2, 3, 9), **_STALLS}, steps=600),
        case("one spike of a Transformer", run={**_norms(333), **_STALLS}, steps=600),
        case("spikes, and the loss falls", run={**_norms(200, 300, 400), **_LEARNS}, steps=600),
        case(
            "spikes that clipping takes in",
            run={
                **_norms(200, 300, 400),
                **_STALLS,
                "clip_rate": lambda s: float(s in (200, 300, 400)),
            },
            steps=600,
        ),
        case(
            "a network that has learned",
            run={
                _SIGNAL: lambda s: 1.0 if s < 30 else 1e-5 * (300 if s % 100 == 0 else 1),
                "loss": lambda s: 2.3 if s < 30 else 1e-4,
            },
            steps=600,
        ),
        case(
            "a level that rises and stays",
            run={_SIGNAL: lambda s: 1.0 if s < 300 else 60.0, **_STALLS},
            steps=600,
        ),
        case(
            "a restart of the learning rate",
            run={
                **_norms(400, 430, 460),
                **_STALLS,
                "learning_rate": lambda s: 1e-3 if s < 400 else 1e-2,
            },
            steps=600,
        ),
        case("gradients of zero between", run={**_norms(), _SIGNAL: lambda s: s % 2}, steps=600),
    ),
    sick=(
        case(
            "three spikes while the loss stands still",
            run={**_norms(200, 300, 400), **_STALLS},
            facts={"optimizer": "Adam"},
            steps=450,
            severity="warning",
            onset=191,
        ),
        case(
            "at batches of which the loss is high too",
            run={
                **_norms(150, 250, 350, 400),
                "loss": lambda s: 9 if s in (150, 250, 350, 400) else 2.3 + 0.1 * (s % 3),
            },
            steps=450,
            severity="warning",
            onset=141,
        ),
    ),
)
