"""Steps raise the loss of the very batch that they were computed on, or lead uphill altogether.

## Meaning
A step follows the gradient of its batch, so it should lower the loss of that batch. Here steps
are so long that they pass the bottom of the valley and end higher on the other side.

## Why it matters
At a well chosen learning rate some steps do so all the time ("edge of stability"): the loss falls
all the same, over many steps. Where it does not fall, each step undoes the one before.

## How it is measured
`step_overshoot` = 1 - change of the loss / (gradient x change of the weights), of one batch before
and after its own step: 0 where the loss is a straight line, 0.5 at the best step along it, above 1
where the step raised the loss. `stability_margin` = sharpness x learning rate / the limit beyond
which gradient descent oscillates. Past step 20:

- information if the last `probes` overshoots are all above `overshoot` and the loss is above
  `converged` of what it was at the start, or if the last `margin_probes` margins exceed `margin`
- a warning if it is the overshoots, their median over twice as many is above `overshoot` too, the
  loss does not fall any more, and it is not below `learned` of what it was at the start

Uphill is an error at once where the learning rate is below 0. It is a warning if in the first 20
steps (or 8 and more, up to the first that changes a kernel by a tenth) the loss rose from each
quarter to the next, by over 30 % in all, and by about as much as `predicted_change` (gradient x
change of the weights) says that it should have fallen: too long a step would have raised it far
more, or sooner. A `step_overshoot` below 1 rules it out.

Measured: SGD 0.1 has a median of 0.3, with batch normalisation 0.8 and a third of the steps above
1 while it trains well; momentum 0.2, Adam 0.03 to 0.2, SGD 3, which breaks, 1.5.

## Likely causes
- the learning rate is too high for the curvature that training has reached
- the momentum is too high for that learning rate
- uphill: a gradient or a loss with the wrong sign, a step that is added instead of subtracted

## Fixes
Lower the learning rate, let it rise over the first steps, or let it decay; clip the gradient.

## False alarms
Momentum carries single steps uphill; hence several probes in a row. Where the loss has converged,
what is left of the gradient is noise, and half of all steps raise it. Adam with dead units shows
no overshoot, because nothing moves any more.

## References
- Cohen et al., Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability,
  arXiv 2103.00065
- Lewkowycz et al., The large learning rate phase of deep learning, arXiv 2003.02218
"""

from __future__ import annotations

import math

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measure, case, kernel
from tensorboard_gradhealth.rules._loss import UPHILL_AT, Doubles, first_loss, untrained, uphill
from tensorboard_gradhealth.rules._probes import beyond_stability, least_margin, overshoots
from tensorboard_gradhealth.rules._support import (
    learning_rate_cause,
    likely_first,
    median_loss,
    recent_loss_drop,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import (
    decay_code,
    lower_learning_rate,
    number,
    optimizer_class,
)
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Severity


def check(view: View) -> Sign | None:
    """A sign while steps overshoot, or the learning rate is beyond the edge of stability."""
    if (uphill := _negative_rate(view) or _uphill(view)) is not None:
        return uphill
    if not (view.has("step_overshoot") or view.has("stability_margin")):
        raise NotEvaluated("neither `step_overshoot` nor `stability_margin` was recorded")
    limits, probes = view.limits, int(view.limits["probes"])
    rho = overshoots(view, 2 * probes)
    over = len(rho) >= probes and bool((rho[-probes:] > limits["overshoot"]).all())
    over = over and not median_loss(view) < limits["converged"] * untrained(view)
    margin = least_margin(view, int(limits["margin_probes"]))
    if not (over or margin > limits["margin"]):
        return None
    lost = over and bool(np.median(rho) > limits["overshoot"]) and _stands_still(view)
    return _sign(view, "warning" if lost else "info", rho[-probes:] if over else None, margin)


def _negative_rate(view: View) -> Sign | None:
    rate = view.scalar("learning_rate", "max")
    if not rate < 0:
        return None
    name = optimizer_class(view) or "SGD"
    return _uphill_sign(
        "error",
        f"The learning rate is negative, {number(rate)}: every step leads uphill",
        Evidence("learning rate", rate, 0.0, "", "learning_rate", view.record.step),
        Cause(f"the learning rate is {number(rate)}", "likely", "learning_rate: below 0"),
        Fix(
            "Give the optimizer a positive rate; it subtracts the gradient itself.",
            f"optimizer = keras.optimizers.{name}({number(-rate)})",
        ),
    )


def _uphill(view: View) -> Sign | None:
    """A sign while the loss is above its start because of the way that the first steps led."""
    ratio = uphill(view)
    if ratio is None or not median_loss(view) > first_loss(view):
        return None
    label = "rise of the loss / fall that the steps should bring"
    return _uphill_sign(
        "warning",
        "Steps lead uphill: the loss rises by as much as it should fall",
        Evidence(label, ratio, 0.0, "", "predicted_change", UPHILL_AT),
        Cause(
            "the gradient has the wrong sign, or is added instead of subtracted",
            "likely",
            "predicted_change: the steps are short, and the loss follows them, the other way",
        ),
        Fix(
            "Differentiate the loss itself, and give the optimizer its gradient as it is.",
            "gradients = tape.gradient(loss, model.trainable_variables)\n"
            "optimizer.apply(gradients, model.trainable_variables)",
        ),
    )


def _uphill_sign(severity: Severity, head: str, evidence: Evidence, cause: Cause, fix: Fix) -> Sign:
    return Sign(
        severity=severity,
        title=head,
        onset=0,
        evidence=(evidence,),
        causes=(cause,),
        fixes=(fix,),
        harmless="This loss is made to rise: a reward, or one player of a game.",
        check="The loss of the 20th step is below that of the first.",
    )


def _stands_still(view: View) -> bool:
    learned = median_loss(view) < view.limits["learned"] * untrained(view)
    return not learned and recent_loss_drop(view) < view.limits["progress"]


def _sign(view: View, severity: Severity, rho: Doubles | None, margin: float) -> Sign:
    limits, step = view.limits, view.record.step
    evidence = []
    if rho is not None:
        value, limit = float(rho.min()), limits["overshoot"]
        label = f"least overshoot of the last {len(rho)} probes"
        evidence.append(Evidence(label, value, limit, "", "step_overshoot", step))
    if not math.isnan(margin):
        label = "sharpness x learning rate / limit"
        evidence.append(Evidence(label, margin, limits["margin"], "", "stability_margin", step))
    drop = recent_loss_drop(view)
    if math.isfinite(drop):
        label = "fall of the loss over the recent records"
        evidence.append(Evidence(label, drop, limits["progress"], "", "loss", step))
    lost = "Steps raise the loss of their own batch, and it does not fall"
    return Sign(
        severity=severity,
        title=lost if severity == "warning" else "Training is at the edge of stability",
        evidence=tuple(evidence),
        causes=_causes(view, margin),
        fixes=_fixes(view),
        harmless="The loss falls over many steps: then this is how fast training looks.",
        check="step_overshoot is below 1 at most probes, and the loss falls.",
    )


def _causes(view: View, margin: float) -> tuple[Cause, ...]:
    rate = learning_rate_cause(view)
    if margin > view.limits["margin"]:
        rate = Cause(rate.text, "likely", beyond_stability(margin))
    return likely_first(rate, Cause("the momentum is too high for that learning rate"))


def _fixes(view: View) -> tuple[Fix, ...]:
    return (
        lower_learning_rate(view, 0.1),
        Fix(
            "Or let it decay, so that later, narrower valleys are not overshot.",
            decay_code(view, "SGD"),
        ),
    )


def _probed(before: float, after: float, change: int = 60) -> Measure:
    """A probe in ten steps, and every one of the first five."""
    return lambda s: (before if s < change else after) if s < 5 or s % 10 == 0 else None


RULE = Rule(
    name="unstable_step",
    code="GH303",
    group="step",
    limits={
        "overshoot": 1.0,
        "probes": 5,
        "margin": 1.0,
        "margin_probes": 3,
        "progress": 0.05,
        "learned": 0.5,
        "converged": 0.05,
    },
    explained_by=("unscaled_inputs", "poor_initialization", "learning_rate_too_high"),
    references=(
        "Cohen et al. 2021, Gradient Descent on Neural Networks Typically Occurs at the Edge of "
        "Stability (arXiv 2103.00065)",
        "Lewkowycz et al. 2020, The large learning rate phase of deep learning (arXiv 2003.02218)",
    ),
    check=check,
    healthy=(
        case(
            "a first rise that the gradient does not explain",
            rows={"variable": (kernel("dense/kernel"),)},
            run={"loss": lambda s: 2.3 + 0.04 * s},
            variable={"predicted_change": lambda s: -0.001, "update_ratio": lambda s: 0.01},
        ),
        case(
            "targets that move away from a network that follows them",
            rows={"variable": (kernel("dense/kernel"),)},
            run={"loss": lambda s: 2.8 + 0.02 * s},
            variable={"predicted_change": lambda s: -0.02, "update_ratio": lambda s: 0.01},
        ),
        case(
            "a loss that is led the right way",
            rows={"variable": (kernel("dense/kernel"),)},
            run={"loss": lambda s: 2.3 - 0.04 * s},
            variable={"predicted_change": lambda s: -0.04, "update_ratio": lambda s: 0.01},
        ),
        case(
            "comfortable",
            run={"loss": lambda s: 2.3 * 0.99**s, "step_overshoot": _probed(0.3, 0.6)},
            steps=300,
        ),
        case(
            "at the edge of stability, and the loss falls",
            run={
                "loss": lambda s: 2.3 * 0.99**s,
                "step_overshoot": _probed(0.8, 1.2),
                "stability_margin": lambda s: 1.1 if s % 100 == 0 else None,
            },
            steps=500,
        ),
        case(
            "converged: what is left of the gradient is noise",
            run={"loss": lambda s: 0.01 + 2.3 * 0.95**s, "step_overshoot": _probed(0.5, 1.3)},
            steps=500,
        ),
        case(
            "an early overshoot that recovers",
            run={"loss": lambda s: 2.3 if s > 6 else 6.0, "step_overshoot": _probed(1.6, 0.4, 7)},
            steps=200,
        ),
        case(
            "momentum carries single steps uphill",
            run={
                "loss": lambda s: 2.3,
                "step_overshoot": lambda s: (1.8 if s % 20 else 0.3) if s % 10 == 0 else None,
            },
            steps=400,
        ),
    ),
    sick=(
        case(
            "a gradient of the wrong sign",
            rows={"variable": (kernel("dense/kernel"),)},
            run={"loss": lambda s: 2.3 + 0.08 * s + 0.02 * (s % 3), "learning_rate": lambda s: 0.1},
            variable={"predicted_change": lambda s: -0.08, "update_ratio": lambda s: 0.01},
            severity="warning",
            onset=0,
        ),
        case(
            "a negative learning rate",
            run={"loss": lambda s: 2.3 + 0.01 * s, "learning_rate": lambda s: -0.05},
            facts={"optimizer": "SGD"},
            severity="error",
            onset=0,
        ),
        case(
            "every step overshoots and nothing is gained",
            run={
                "loss": lambda s: 2.3 + 0.1 * (s % 3),
                "step_overshoot": _probed(1.5, 1.5),
                "learning_rate": lambda s: 3.0,
            },
            facts={"optimizer": "SGD"},
            steps=300,
            severity="warning",
            onset=61,
        ),
        case(
            "beyond the limit of the optimizer",
            run={
                "loss": lambda s: 2.3 + 0.1 * (s % 3),
                "step_overshoot": _probed(1.5, 1.5),
                "stability_margin": lambda s: 1.8 if s % 30 == 0 else None,
                "learning_rate": lambda s: 0.5,
            },
            facts={"optimizer": "SGD"},
            steps=300,
            severity="warning",
            onset=51,
        ),
    ),
)
