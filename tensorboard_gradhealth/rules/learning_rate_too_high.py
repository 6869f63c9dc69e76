"""Updates are too large for the weights that they change.

## Meaning
In one of the first steps, a kernel changed by as much as its own size or more; or, later, it
keeps changing by more than a tenth of its size at every step; or the loss is so curved that no
step of that length can follow it.

## Why it matters
Such a step throws the initial weights away. With ReLU it often lands where most units give 0 for
every input, from where no gradient leads back: the loss jumps once, then stays flat, and every
later measurement looks calm. Only the first steps show the reason.

## How it is measured
`update_ratio` = norm of the real change of a kernel / norm of the kernel before it, whatever the
optimizer, its momentum, decay and clipping. Judged are kernels with at least 16 elements that
do not start from almost zero and have no normalisation right after them. The largest ratio of
steps 0 to 20:

- over `jump`: a warning at once
- over `warning`: a warning, and from `error` on (or `jump`) an error, if by step `recovery_step`
  the loss is not at least `recovery` lower than at the start (`jump_recovery` after a jump)

and later a warning if the median ratio over at least `sustained_steps` steps exceeds `sustained`
while the loss does not fall, or if the last three probes of the curvature put `stability_margin`
over `margin` while the loss neither falls nor is below half of its start. A margin of 1 is where
gradient descent begins to oscillate, and healthy training lives there; at 2 it does not.

Measured over 3 to 5 seeds: SGD that trains 0.01 to 0.42, Adam 1e-3 0.003 to 0.01, Adam 1e-2 0.08,
Adam 0.1 (degraded) 0.56 to 0.78, SGD 1 with batch normalisation (trains) 0.89 to 1.2, Adam 0.3
1.7 to 2.3, Adam 1 3 to 8. Hence no verdict between 0.5 and 2 before the loss has spoken.

## Likely causes
- the learning rate
- gradients that are huge from the start: inputs that are not scaled, or initial weights too large

## Fixes
Divide the learning rate by 10 until the first steps change kernels by less than a tenth; let it
rise over the first steps (warm-up); clip the gradient norm.

## False alarms
Early overshoot can recover by itself (the "catapult"), which is why the loss is awaited. Weights
right before a normalisation may take large relative steps, because their scale does not matter;
they are not judged, nor are biases and embeddings.

## References
- Lewkowycz et al., The large learning rate phase of deep learning, arXiv 2003.02218
- Gilmer et al., A Loss Curvature Perspective on Training Instability, arXiv 2110.04369
"""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, kernel
from tensorboard_gradhealth.rules._loss import overshoots, untrained
from tensorboard_gradhealth.rules._support import (
    FIRST_STEPS,
    Update,
    initial_weights_cause,
    input_scale_cause,
    largest_first_update,
    likely_first,
    loss_drop,
    median_loss,
    real_kernels,
    recent_loss_drop,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import (
    lower_learning_rate,
    number,
    optimizer_class,
    percent,
    title,
)
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row, Severity

_USUAL_RATIO = 0.005  # Of the first steps of Adam at 1e-3; where the advised rate should lead.
_WILD = 1000.0  # No sensible learning rate does this alone.


def check(view: View) -> Sign | None:
    """A sign for the first steps as long as the rate is that high, or for the latest ones."""
    update = largest_first_update(view, view.limits["warning"])
    severity = _first_steps(view, update.ratio) if update else None
    if update and severity:
        limit = view.limits["error" if update.ratio >= view.limits["error"] else "warning"]
        return _sign(view, update, severity, limit, update.step)
    return _sustained(view) or _beyond_stability(view)


def _first_steps(view: View, ratio: float) -> Severity | None:
    limits = view.limits
    if _rate_was_lowered(view):
        return None
    if view.record.step < limits["recovery_step"]:
        return "warning" if ratio >= limits["jump"] else None
    if loss_drop(view) >= _recovery(view, ratio):
        return None
    return "error" if ratio >= limits["error"] else "warning"


def _recovery(view: View, ratio: float) -> float:
    """Fall of the loss that excuses such a step: after a jump, noise is not enough."""
    return view.limits["jump_recovery" if ratio >= view.limits["jump"] else "recovery"]


def _rate_was_lowered(view: View) -> bool:
    if not view.has("learning_rate"):
        return False
    first = view.early("learning_rate", FIRST_STEPS, "max")
    return bool(len(first) and view.scalar("learning_rate", "max") < 0.5 * np.nanmax(first))


def _sustained(view: View) -> Sign | None:
    limit = view.limits["sustained"]
    latest = view.latest("update_ratio")
    judged = real_kernels(view, latest, view.latest("weight_rms"))
    if not (judged & (latest > limit)).any():
        return None
    steps = view.past_steps("update_ratio")
    kept = steps[:, 0] > FIRST_STEPS
    if not kept.any() or steps[-1, 1] - steps[kept][0, 0] + 1 < view.limits["sustained_steps"]:
        return None
    median = np.median(view.past("update_ratio")[kept], axis=0)
    median = np.where(judged & np.isfinite(median), median, 0)
    row = int(median.argmax())
    if not median[row] > limit or recent_loss_drop(view) > 0.05:
        return None
    name = view.rows("update_ratio")[row].name
    first = int(steps[kept][0, 0])
    return _sign(view, Update(float(median[row]), name, view.record.step), "warning", limit, first)


def _beyond_stability(view: View) -> Sign | None:
    limit = view.limits["margin"]
    margins = view.past("stability_margin", 3) if view.has("stability_margin") else np.empty(0)
    if len(margins) < 3 or not (margins > limit).all():
        return None
    if not (recent_loss_drop(view) < 0.05 and median_loss(view) > 0.5 * untrained(view)):
        return None
    margin, step = float(margins[-1, 0]), view.record.step
    rate = view.scalar("learning_rate", "max")
    named = f"of {number(rate)} is too high" if rate > 0 else "is too high"
    support = f"stability_margin: {number(margin)} times the limit of this optimizer"
    return Sign(
        severity="warning",
        title=f"The learning rate {named} for the curvature of the loss",
        onset=int(view.past_steps("stability_margin", 3)[0, 0]),
        evidence=(
            Evidence(
                "sharpness x learning rate / limit", margin, limit, "", "stability_margin", step
            ),
            *_overshoot(view),
            Evidence("fall of the recent loss", recent_loss_drop(view), 0.05, "", "loss", step),
        ),
        causes=likely_first(
            Cause(f"the learning rate {named}", "likely", support), input_scale_cause(view)
        ),
        fixes=(
            lower_learning_rate(view, 1 / max(margin, 10)),
            Fix("If that rate is needed later, let it rise over the first steps (warm-up)."),
        ),
        harmless="The loss falls all the same: training then lives at the edge of stability.",
        check="stability_margin is at most about 1, and the loss falls.",
    )


def _overshoot(view: View) -> tuple[Evidence, ...]:
    """The overshoots of the last five probes, if every one raised the loss of its batch."""
    rho = overshoots(view, 5)
    if len(rho) < 5 or not (rho > 1).all():
        return ()
    label, step = "least overshoot of the last 5 probes", view.record.step
    return (Evidence(label, float(rho.min()), 1.0, "", "step_overshoot", step),)


def _sign(view: View, update: Update, severity: Severity, limit: float, onset: int) -> Sign:
    jumped = onset == update.step
    extent = f"{percent(update.ratio)} of" if update.ratio < 10 else f"{number(update.ratio)} times"
    head = f"{{}} changed by {extent} its size in one step"
    if not jumped:
        head = f"{{}} keeps changing by {extent} its size per step"
    rate = view.scalar("learning_rate", "max")
    if rate > 0 and update.ratio <= _WILD:
        change = "changed by" if jumped else "keeps changing by"
        head = f"Learning rate {number(rate)} is too high: {{}} {change} {extent} its size"
    return Sign(
        severity=severity,
        title=title(head, update.row),
        layers=(update.row,),
        onset=onset,
        evidence=_evidence(view, update, limit),
        causes=_causes(view, update),
        fixes=_fixes(view, update),
        harmless="The loss falls all the same, or the layer is normalised right after.",
        check="update_ratio stays under 0.1 for every kernel during the first 20 steps.",
    )


def _evidence(view: View, update: Update, limit: float) -> tuple[Evidence, ...]:
    label = "norm of the change / norm of the kernel"
    found = [Evidence(label, update.ratio, limit, "", "update_ratio", update.step, update.row)]
    step = view.record.step
    if view.has("learning_rate"):
        rate = view.scalar("learning_rate", "max")
        found.append(Evidence("learning rate", rate, None, "", "learning_rate", step))
    drop = loss_drop(view)
    if step >= view.limits["recovery_step"] and np.isfinite(drop):
        needed, label = _recovery(view, update.ratio), "fall of the loss since the start"
        found.append(Evidence(label, drop, needed, "", "loss", step))
    return (*found, *_overshoot(view))


def _causes(view: View, update: Update) -> tuple[Cause, ...]:
    rate = view.scalar("learning_rate", "max")
    named = f"the learning rate of {number(rate)} is too high"
    if not rate > 0:
        named = "the learning rate is too high"
    huge = initial_weights_cause(view)
    if update.ratio > _WILD:
        return likely_first(huge, input_scale_cause(view), Cause(named))
    adaptive = optimizer_class(view) in ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Lion")
    if adaptive and rate >= 0.03:
        support = (
            f"learning_rate: {optimizer_class(view)} moves each weight by about that much per step"
        )
        return likely_first(Cause(named, "likely", support), input_scale_cause(view), huge)
    if _overshoot(view):
        support = "step_overshoot: the last 5 steps looked at raised the loss of their own batch"
        return likely_first(Cause(named, "likely", support), input_scale_cause(view), huge)
    return likely_first(Cause(named), input_scale_cause(view), huge)


def _fixes(view: View, update: Update) -> tuple[Fix, ...]:
    lower = lower_learning_rate(view, _USUAL_RATIO / update.ratio)
    name = optimizer_class(view) or "Adam"
    clip = Fix(
        "Clip the norm of the gradient.", f"keras.optimizers.{name}(learning_rate, clipnorm=1.0)"
    )
    if update.ratio > _WILD:
        return clip, Fix("Start from smaller weights.", 'kernel_initializer="he_normal"')
    warm_up = Fix("If that rate is needed later, let it rise over the first steps (warm-up).")
    return lower, warm_up, clip


def _kernels(first: float, later: float = 0.01) -> Measures:
    return {
        "update_ratio": lambda s: [first if s == 0 else later, 0.005],
        "weight_rms": lambda s: [0.3, 0.3],
    }


_ROWS: Rows = {"variable": (kernel("dense/kernel", 80), kernel("dense_1/kernel", 16))}

RULE = Rule(
    name="learning_rate_too_high",
    code="GH301",
    group="step",
    requires=("update_ratio", "weight_rms"),
    limits={
        "warning": 0.5,
        "error": 1.0,
        "jump": 2.0,
        "recovery": 0.1,
        "jump_recovery": 0.5,
        "recovery_step": 40,
        "sustained": 0.1,
        "sustained_steps": 50,
        "margin": 2.0,
    },
    explained_by=(
        "unscaled_inputs",
        "poor_initialization",
        "output_loss_mismatch",
    ),
    references=(
        "Lewkowycz et al. 2020, The large learning rate phase of deep learning (arXiv 2003.02218)",
        "Gilmer et al. 2021, A Loss Curvature Perspective on Training Instability "
        "(arXiv 2110.04369)",
    ),
    check=check,
    healthy=(
        case("Adam at 1e-3", rows=_ROWS, variable=_kernels(0.006), run={"loss": lambda s: 0.69}),
        case("SGD at 1", rows=_ROWS, variable=_kernels(0.42, 0.03), run={"loss": lambda s: 0.69}),
        case(
            "a large first step in front of a normalisation, and the loss falls",
            rows=_ROWS,
            variable=_kernels(1.2),
            run={"loss": lambda s: 2.3 * 0.97**s},
        ),
        case(
            "restless weights, and the loss falls",
            rows=_ROWS,
            variable=_kernels(0.2, 0.2),
            run={"loss": lambda s: 2.3 * 0.99**s},
            steps=200,
        ),
        case(
            "a branch that starts from zero",
            rows=_ROWS,
            variable={
                "update_ratio": lambda s: [1e30 if s == 0 else 1 / s, 0.005],
                "weight_rms": lambda s: [1e-3 * (s + 1), 0.3],
            },
            run={"loss": lambda s: 0.69},
        ),
        case(
            "a kernel right before a normalisation",
            rows={
                "variable": (
                    kernel("dense/kernel", 80),
                    Row("norm/gamma", "norm", "norm", 16),
                    kernel("dense_1/kernel", 16),
                )
            },
            variable={
                "update_ratio": lambda s: [1.2, 0.1, 0.01],
                "weight_rms": lambda s: [0.3, 1, 0.3],
            },
            run={"loss": lambda s: 0.69},
        ),
        case(
            "only a small kernel",
            rows={"variable": (kernel("dense/kernel", 8),)},
            variable={"update_ratio": lambda s: [5], "weight_rms": lambda s: [0.3]},
        ),
        case(
            "beyond the edge of stability, and the loss falls",
            rows=_ROWS,
            variable=_kernels(0.01),
            run={
                "loss": lambda s: 2.3 * 0.995**s,
                "stability_margin": lambda s: 2.5 if s % 50 == 0 else None,
            },
            steps=400,
        ),
    ),
    sick=(
        case(
            "Adam at 1",
            rows=_ROWS,
            variable=_kernels(3.1),
            run={"loss": lambda s: 20 if s == 1 else 0.7, "learning_rate": lambda s: 1.0},
            facts={"optimizer": "adam"},
            severity="error",
            layers=("dense/kernel",),
            onset=0,
        ),
        case(
            "known before the loss is lost",
            rows=_ROWS,
            variable={"update_ratio": lambda s: [2e6, 0.1], "weight_rms": lambda s: [6e5, 0.3]},
            run={"loss": lambda s: 10.0 ** (s + 1), "learning_rate": lambda s: 3.0},
            facts={"optimizer": "sgd"},
            steps=4,
            severity="warning",
            layers=("dense/kernel",),
            onset=0,
        ),
        case(
            "restless weights later on",
            rows=_ROWS,
            variable=_kernels(0.2, 0.2),
            run={"loss": lambda s: 2.3 + 0.2 * (s % 3)},
            steps=200,
            severity="warning",
            layers=("dense/kernel",),
            onset=21,
        ),
        case(
            "the loss is too curved for such steps",
            rows=_ROWS,
            variable=_kernels(0.02, 0.02),
            run={
                "loss": lambda s: 2.3 + 0.2 * (s % 3),
                "learning_rate": lambda s: 0.8,
                "stability_margin": lambda s: 6.0 if s % 50 == 0 else None,
                "step_overshoot": lambda s: 1.7 if s % 10 == 0 else None,
            },
            facts={"optimizer": "SGD"},
            steps=200,
            severity="warning",
            onset=0,
        ),
    ),
)
