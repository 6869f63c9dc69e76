"""The loss of single batches jumps to what it was before training.

## Meaning
For a step or a few, the loss leaps far out of its usual range, and comes back.

## Why it matters
One spike is an event worth a look: a strange batch, or a step that was too long. Many of them cost
what was learned between them, and often come before divergence.

## How it is measured
On the largest loss of each record, for records of equal length. A spike is a logarithm that is over
`z` robust standard deviations (1.4826 x median absolute deviation) above the median of the 30
records before it, and a loss of at least `height` times that of an untrained model, so that the
hard examples of a network that has learned do not count. In the kept past of up to 64 records:

- one spike, for the next three records: information
- `many` spikes within 500 steps: a warning

Besides, from the first steps on and whatever their spread: a loss over `outlier` times that of an
untrained model, within 500 steps: a warning. No step of a training that goes on as before makes
such a loss; its batch does. Where it comes out of steps that changed no kernel by a tenth, it is
told at once, because the step that follows may end the training.

Else only a record between two that are not so high counts.

Measured on ten healthy runs, the largest robust deviation is 3.5; public monitors of language
models, where healthy runs reach 4.5, alarm at 8 too.

## Likely causes
- the learning rate is too high for the curvature that training has reached
- batches with extreme inputs, or wrong labels
- Adam's second moment is too short a memory (`beta_2`) for rare large gradients

## Fixes
Clip the gradient; lower the learning rate; look at the batch of that step.

## False alarms
A change of the data or of the loss is a step, not a spike. Losses below zero are not judged.

## References
- Cohen et al., Adaptive Gradient Methods at the Edge of Stability, arXiv 2207.14484
- Molybog et al., A Theory on Adam Instability in Large-Scale Machine Learning, arXiv 2304.09871
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import case, kernel
from tensorboard_gradhealth.rules._loss import Doubles, struck_at, untrained
from tensorboard_gradhealth.rules._probes import overshoots
from tensorboard_gradhealth.rules._support import likely_first
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import lower_learning_rate, number, optimizer_class
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity

_BEFORE = 30  # Records that a record is compared with.
_AFTERGLOW = 3  # Records for which a single spike is worth a word.
_SPAN = 500  # Steps.


@dataclasses.dataclass(frozen=True, slots=True)
class _Spike:
    """One record whose largest loss leaps out."""

    age: int  # records since then
    first: int
    last: int
    loss: float
    z: float
    usual: float


def check(view: View) -> Sign | None:
    """A sign right after a spike, or while many are within the last steps."""
    if outliers := _outliers(view):
        return _outlier_sign(view, outliers)
    spikes = _spikes(view)
    near = [spike for spike in spikes if spike.last > view.record.step - _SPAN]
    if len(near) >= view.limits["many"]:
        return _sign(view, "warning", near)
    if spikes and spikes[-1].age < _AFTERGLOW:
        return _sign(view, "info", spikes[-1:])
    return None


def _outliers(view: View) -> list[_Spike]:
    """Records with a batch that does not belong to the others, oldest first."""
    values = view.past("loss", field="max")[:, 0].astype(np.float64)
    steps = view.past_steps("loss")
    high = values > view.limits["outlier"] * untrained(view)
    if not high.any() or not (values > 0).all() or not np.isfinite(values).all():
        return []
    alone = np.flatnonzero(~high[:-2] & high[1:-1] & ~high[2:]) + 1
    if struck_at(view, view.limits["outlier"]) is not None:
        alone = np.append(alone, len(values) - 1)
    usual = float(np.median(values[~high]))
    return [
        _Spike(len(values) - 1 - i, int(steps[i, 0]), int(steps[i, 1]), values[i], np.nan, usual)
        for i in alone
        if steps[i, 1] > view.record.step - _SPAN
    ]


def _spikes(view: View) -> list[_Spike]:
    """All spikes in the kept past, oldest first; the newest record cannot be told yet."""
    steps = view.past_steps("loss")
    length = steps[:, 1] - steps[:, 0]
    same = np.flatnonzero(length != length[-1])
    start = int(same[-1]) + 1 if len(same) else 0
    values = view.past("loss", field="max")[start:, 0].astype(np.float64)
    if len(values) <= _BEFORE:
        raise NotEvaluated(f"needs {_BEFORE + 1} records of equal length")
    if not (values > 0).all() or not np.isfinite(values).all():
        raise NotEvaluated("the loss is not positive at all of these records")
    high = values > view.limits["height"] * untrained(view)
    if not high[_BEFORE:].any():
        return []
    z, usual = _deviations(np.log(values))
    over = high & (z > view.limits["z"])
    alone = ~over[:-2] & over[1:-1] & ~over[2:]  # what stays high is a step, not a spike
    return [
        _Spike(
            age=len(values) - 1 - i,
            first=int(steps[start + i, 0]),
            last=int(steps[start + i, 1]),
            loss=float(values[i]),
            z=float(z[i]),
            usual=float(np.exp(usual[i])),
        )
        for i in np.flatnonzero(alone) + 1
    ]


def _deviations(values: Doubles) -> tuple[Doubles, Doubles]:
    """Robust deviation of each from the 30 before it, 0 for the first 30; and their median."""
    before = np.lib.stride_tricks.sliding_window_view(values[:-1], _BEFORE)
    median = np.median(before, axis=1)
    spread = 1.4826 * np.median(np.abs(before - median[:, np.newaxis]), axis=1)
    z, usual = np.zeros(len(values)), np.zeros(len(values))
    # A loss that hardly varies must not make every ripple a spike.
    z[_BEFORE:] = (values[_BEFORE:] - median) / (spread + 0.02)
    usual[_BEFORE:] = median
    return z, usual


def _sign(view: View, severity: Severity, spikes: list[_Spike]) -> Sign:
    highest, limits = max(spikes, key=lambda spike: spike.loss), view.limits
    evidence = [
        Evidence("robust deviations of the logarithm", highest.z, limits["z"], "", "loss",
                 highest.last),
        Evidence("largest loss", highest.loss, limits["height"] * untrained(view), "", "loss",
                 highest.last),
        Evidence("usual loss", highest.usual, None, "", "loss", highest.last),
    ]  # fmt: skip
    head = f"The loss leapt to {number(highest.loss)} from {number(highest.usual)}"
    if severity == "warning":
        head = f"The loss leapt {len(spikes)} times within {_SPAN} steps, to {number(highest.loss)}"
        many = Evidence("spikes", len(spikes), limits["many"], "", "loss", spikes[-1].last)
        evidence.insert(0, many)
    name = optimizer_class(view) or "Adam"
    clip = f"keras.optimizers.{name}(learning_rate, global_clipnorm=1.0)"
    return Sign(
        severity=severity,
        title=head,
        onset=spikes[0].first,
        evidence=tuple(evidence),
        causes=_causes(view, highest),
        fixes=(Fix("Clip the gradient.", clip), lower_learning_rate(view, 0.3)),
        harmless="It comes back at once, and the loss goes on falling.",
        check="No loss leaps above that of the untrained model any more.",
    )


def _outlier_sign(view: View, outliers: list[_Spike]) -> Sign:
    highest, limit = max(outliers, key=lambda spike: spike.loss), view.limits["outlier"]
    where = (
        f"step {highest.first}"
        if highest.first == highest.last
        else (f"steps {highest.first} to {highest.last}")
    )
    return Sign(
        severity="warning",
        title=f"One batch does not belong to the others: its loss is {number(highest.loss)}, "
        f"the usual one {number(highest.usual)}",
        onset=outliers[0].first,
        evidence=(
            Evidence("largest loss", highest.loss, limit * untrained(view), "", "loss",
                     highest.last),
            Evidence("usual loss", highest.usual, None, "", "loss", highest.last),
            Evidence("such batches", len(outliers), None, "", "loss", outliers[-1].last),
        ),
        causes=(
            Cause("a batch with extreme inputs or targets", "likely",
                  "loss: back in its usual range after that batch" if highest.age else
                  "update_ratio: the steps before it were short"),
            Cause("the step before it was too long, and the next one made up for it"),
        )[: 2 if highest.age else 1],
        fixes=(
            Fix(f"Look at the batch of {where}: values that are out of range, units that differ."),
            Fix("Keep a batch like that from moving the weights.",
                f"keras.optimizers.{optimizer_class(view) or 'Adam'}"
                "(learning_rate, global_clipnorm=1.0)"),
        ),
        harmless="Values of that size belong to the task, and there are more of them in use.",
        check="The largest loss of an epoch is within a few times the usual one.",
    )  # fmt: skip


def _causes(view: View, spike: _Spike) -> tuple[Cause, ...]:
    step = "the step before was too long: the learning rate is too high there"
    rho = overshoots(view, 5)
    long = Cause(step)
    if len(rho) and np.median(rho) > 1:
        support = f"step_overshoot: {number(float(np.median(rho)))}, above 1 the loss rises"
        long = Cause(step, "likely", support)
    elif (growth := _gradient_growth(view, spike)) > 10:
        support = f"gradient_global_norm: {number(growth)} times its usual size"
        long = Cause("a step along a gradient that had exploded", "likely", support)
    return likely_first(
        long,
        Cause("a batch with extreme inputs or wrong labels"),
        Cause("the optimizer forgets rare large gradients: a smaller `beta_2` is the cure"),
    )


def _gradient_growth(view: View, spike: _Spike) -> float:
    """Largest gradient of the spike's record over the usual one; NaN if unknown."""
    if not view.has("gradient_global_norm"):
        return float("nan")
    norm = view.past("gradient_global_norm", field="max")[:, 0]
    at = np.flatnonzero(view.past_steps("gradient_global_norm")[:, 1] == spike.last)
    usual = float(np.median(norm))
    return float(norm[at[0]]) / usual if len(at) and usual > 0 else float("nan")


def _falling(step: int) -> float:
    return 0.3 + 2.0 * float(0.98**step)


def _leap(step: int, at: tuple[int, ...], to: float) -> float:
    return to if step in at else _falling(step) * (1 + 0.05 * ((step * 7) % 5 - 2))


RULE = Rule(
    name="loss_spike",
    code="GH605",
    group="loss",
    requires=("loss",),
    limits={"z": 8, "height": 0.8, "many": 3, "outlier": 1000},
    clear=40,
    explained_by=(
        "nonfinite_inputs",
        "unscaled_inputs",
        "poor_initialization",
        "learning_rate_too_high",
        "unstable_step",
        "exploding_gradients",
        "gradient_spike",
        "loss_divergence",
    ),
    references=(
        "Cohen et al. 2022, Adaptive Gradient Methods at the Edge of Stability (arXiv 2207.14484)",
        "Molybog et al. 2023, A Theory on Adam Instability in Large-Scale Machine Learning "
        "(arXiv 2304.09871)",
    ),
    check=check,
    healthy=(
        case("one spike", run={"loss": lambda s: _leap(s, (700,), 9.0)}, steps=1000),
        case(
            "hard examples of a network that has learned",
            run={"loss": lambda s: 0.5 if s > 400 and s % 50 == 0 else 1e-3 + 2.3 * 0.97**s},
            steps=900,
        ),
        case(
            "a restart of the learning rate is a step",
            run={"loss": lambda s: 0.1 + 2.2 * 0.985 ** (s % 500)},
            steps=900,
        ),
        case("batches of very different size", run={"loss": lambda s: 1 + (s * 7) % 5}, steps=900),
        case(
            "what stays enormous is no outlier",
            run={"loss": lambda s: 2.3 if s < 15 else 9e4},
            steps=40,
        ),
        case("below zero", run={"loss": lambda s: 9.0 if s == 700 else -_falling(s)}, steps=900),
    ),
    sick=(
        case(
            "again and again",
            run={
                "loss": lambda s: _leap(s, (600, 760, 880, 960), 6.0),
                "gradient_global_norm": lambda s: 40.0 if s in (600, 760, 880, 960) else 1.0,
                "learning_rate": lambda s: 0.3,
            },
            facts={"optimizer": "SGD"},
            steps=1000,
            severity="warning",
            onset=591,
        ),
        case(
            "a batch whose step ends the training",
            rows={"variable": (kernel("dense/kernel"),)},
            run={"loss": lambda s: _falling(s) if s < 19 else 6e9 if s == 19 else math.inf},
            variable={
                "update_ratio": lambda s: 0.003 if s < 19 else 1e8 if s == 19 else math.nan,
                "weight_rms": lambda s: 0.3 if s < 20 else 3e7,
            },
            steps=40,
            severity="error",
            onset=19,
        ),
        case(
            "one batch in the wrong unit",
            run={"loss": lambda s: 9e6 if s == 15 else _falling(s)},
            steps=40,
            severity="warning",
            onset=15,
        ),
    ),
)
