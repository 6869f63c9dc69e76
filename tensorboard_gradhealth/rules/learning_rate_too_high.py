"""Updates are too large for the weights that they change.

## Meaning
In one of the first steps, a kernel changed by as much as its own size or more; or many smaller
steps added up to several times its size; or, later, it keeps changing by more than a tenth of its
size at every step; or the loss is so curved that no step of that length can follow it.

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
- a warning if by step `recovery_step`, or in the 50 steps after the learning rate doubled or more
  at once, a kernel reaches `growth` times its norm before (or half of the usual one, if it began
  with less), and the loss is not at least `jump_recovery` lower than at the start, nor on its way
  there: momentum near 1 does that, because its steps add up until they are as long as those of the
  learning rate / (1 - momentum), which takes 1 / (1 - momentum) steps, so that above 0.98 all of
  these are looked at. Steps that add up because the labels come one class after the other say
  nothing about the rate

and later a warning if the median ratio over at least `sustained_steps` steps exceeds `sustained`
while the loss does not fall, or if the last three probes of the curvature put `stability_margin`
over `margin` while the loss neither falls nor is below half of its start. A margin of 1 is where
gradient descent begins to oscillate, and healthy training lives there; at 2 it does not.

Measured over 3 to 5 seeds: SGD that trains 0.01 to 0.42, Adam 1e-3 0.003 to 0.01, Adam 1e-2 0.08,
Adam 0.1 (degraded) 0.56 to 0.78, SGD 1 with batch normalisation (trains) 0.89 to 1.2, Adam 0.3
1.7 to 2.3, Adam 1 3 to 8. Hence no verdict between 0.5 and 2 before the loss has spoken. Growth in
50 steps: up to 1.7 where it trains, 4 at a momentum of 0.999, 9 and more where it breaks.

## Likely causes
- the learning rate
- a momentum near 1
- gradients that are huge from the start: inputs that are not scaled, or initial weights too large

## Fixes
Lower the learning rate until the first steps change kernels by less than a tenth; let it
rise over the first steps (warm-up); clip the gradient norm.

## False alarms
Early overshoot can recover by itself (the "catapult"), which is why the loss is awaited. Weights
right before a normalisation may take large relative steps, because their scale does not matter;
they are not judged, nor are biases and embeddings. An adaptive optimizer with float16 weights and
no loss scaling is not judged: there the squares of gradients underflow, whatever the rate.

## References
- Lewkowycz et al., The large learning rate phase of deep learning, arXiv 2003.02218
- Gilmer et al., A Loss Curvature Perspective on Training Instability, arXiv 2110.04369
"""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, features, kernel
from tensorboard_gradhealth.rules._labels import MIXED, order
from tensorboard_gradhealth.rules._loss import overshoots, rate_jump, struck_at, untrained, uphill
from tensorboard_gradhealth.rules._support import (
    FIRST_STEPS,
    Update,
    calmer,
    in_half_precision,
    initial_weights_cause,
    input_scale_cause,
    largest_first_update,
    learns,
    likely_first,
    loss_drop,
    median_loss,
    real_kernels,
    recent_loss_drop,
)
from tensorboard_gradhealth.rules._view import EARLY, Floats, Steps, View
from tensorboard_gradhealth.rules._wording import (
    ADAPTIVE,
    lower_learning_rate,
    number,
    optimizer_class,
    percent,
    title,
)
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row, Severity

_WILD = 1000.0  # No sensible learning rate does this alone.
_OUTLIER = 1000.0  # Times the loss of an untrained model, which no calm step leads to.
_LONG_MEMORY = 0.98  # Momentum over which steps add up to more than 50.


def check(view: View) -> Sign | None:
    """A sign for the first steps as long as the rate is that high, or for the latest ones."""
    if in_half_precision(view) and optimizer_class(view) in ADAPTIVE:
        raise NotEvaluated("the squares of float16 gradients decide about the steps, not the rate")
    if view.record.step <= FIRST_STEPS and struck_at(view, _OUTLIER) is not None:
        return None  # the gradient of one batch, which `loss_spike` tells of
    if uphill(view) is not None or view.scalar("learning_rate", "max") < 0:
        return None  # `unstable_step` tells of the way that they lead
    update = largest_first_update(view, view.limits["warning"])
    severity = _first_steps(view, update.ratio) if update else None
    if update and severity:
        limit = view.limits["error" if update.ratio >= view.limits["error"] else "warning"]
        return _sign(view, update, severity, limit, update.step)
    return _outgrown(view) or _sustained(view) or _beyond_stability(view)


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
    first = view.early("learning_rate", FIRST_STEPS, "max").ravel()
    highest = np.fmax.reduce(first, initial=-np.inf)
    return bool(view.scalar("learning_rate", "max") < 0.5 * highest)


def _outgrown(view: View) -> Sign | None:
    """A sign if a kernel became several times as large, and nothing was learned by it.

    Looked at are the first steps, and those after the learning rate was raised.
    """
    if view.record.step < view.limits["recovery_step"] or _rate_was_lowered(view):
        return None
    if not loss_drop(view) < view.limits["jump_recovery"] or learns(view):
        return None
    if order(view) < MIXED:
        return None  # Steps add up because each batch repeats the class of the one before.
    if (jump := rate_jump(view)) is not None:
        steps, rms = view.past_steps("weight_rms")[:, 0], view.past("weight_rms")
        kept = np.flatnonzero((steps >= jump) & (steps <= jump + EARLY))
        before = kept[:1] - 1
        if len(kept) and before[0] >= 0:
            rows = np.concatenate([before, kept])
            if (sign := _growth(view, rms[rows], steps[rows])) is not None:
                return sign
    steps, rms = view.early_steps("weight_rms"), view.early("weight_rms")
    if _momentum(view) > _LONG_MEMORY:
        later = view.past_steps("weight_rms")[:, 1]
        kept = (later > steps[-1:].sum()) & (later <= 1 / (1 - _momentum(view)))
        steps = np.concatenate([steps, later[kept]])
        rms = np.concatenate([rms, view.past("weight_rms")[kept]])
    return _growth(view, rms, steps)


def _growth(view: View, rms: Floats, steps: Steps) -> Sign | None:
    """A sign if a kernel is over `growth` times as large as in the first of these records."""
    if not len(rms):
        return None
    limit, judged = view.limits["growth"], real_kernels(view, rms[0])
    # A kernel that began small only gets to its size; a square one usually begins at twice this.
    begun = np.fmax(rms[0], 0.5 * view.sizes("weight_rms") ** -0.25)
    growth = np.nan_to_num(np.where(judged, rms / begun, 0), posinf=0)
    over = np.flatnonzero((growth > limit).any(axis=1))
    if not len(over):
        return None
    row = int(growth.max(axis=0).argmax())
    begin, step = int(steps[1]), int(steps[over[0]])
    name = view.rows("weight_rms")[row].name
    reached = float((rms[:, row] / rms[0, row]).max())
    head = f"Steps are too long: {{}} has grown to {number(reached)} times its size"
    return Sign(
        severity="warning",
        title=title(head, name),
        layers=(name,),
        onset=begin,
        evidence=(
            Evidence("size / size before", reached, limit, "", "weight_rms", step, name),
            *_rate_and_fall(view, view.limits["jump_recovery"]),
        ),
        causes=likely_first(*_momentum_cause(view), *_causes(view, Update(0.0, name, step, 0.0))),
        fixes=(*_lower_momentum(view), lower_learning_rate(view, 0.1)),
        harmless="The loss falls all the same: the model needs larger weights than it began with.",
        check="In 50 steps no kernel grows to more than twice its size, and the loss falls.",
    )


def _momentum_cause(view: View) -> tuple[Cause, ...]:
    """Momentum as a cause: likely when the steps that it adds up are long."""
    momentum, rate = _momentum(view), view.scalar("learning_rate", "max")
    if not momentum > _LONG_MEMORY:
        return ()
    length = f"as long as those of a learning rate of {number(rate / (1 - momentum))}"
    support = f"the optimizer: steps add up until they are {length}"
    return (Cause(f"the momentum of {momentum:g} is too high", "likely", support),)


def _lower_momentum(view: View) -> tuple[Fix, ...]:
    if not _momentum(view) > _LONG_MEMORY:
        return ()
    name = optimizer_class(view) or "SGD"
    code = f"optimizer = keras.optimizers.{name}(learning_rate, momentum=0.9)"
    return (Fix("Lower the momentum to 0.9.", code),)


def _momentum(view: View) -> float:
    return float(view.facts.get("momentum", 0.0))


def _sustained(view: View) -> Sign | None:
    limit = view.limits["sustained"]
    latest = view.latest("update_ratio")
    judged = real_kernels(view, view.latest("weight_rms"))
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
    update = Update(float(median[row]), name, view.record.step, float(median[row]))
    return _sign(view, update, "warning", limit, first)


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
            lower_learning_rate(view, 1 / margin),
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
    if rate > 0 and _by_rate(view, update):
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
    change = Evidence(label, update.ratio, limit, "", "update_ratio", update.step, update.row)
    needed = _recovery(view, update.ratio)
    return (change, *_rate_and_fall(view, needed), *_overshoot(view))


def _rate_and_fall(view: View, needed: float) -> tuple[Evidence, ...]:
    """The learning rate, and how the loss fell, as far as they are known."""
    found, step, drop = [], view.record.step, loss_drop(view)
    if view.has("learning_rate"):
        rate = view.scalar("learning_rate", "max")
        found.append(Evidence("learning rate", rate, None, "", "learning_rate", step))
    if step >= view.limits["recovery_step"] and np.isfinite(drop):
        label = "fall of the loss since the start"
        found.append(Evidence(label, drop, needed, "", "loss", step))
    return tuple(found)


def _causes(view: View, update: Update) -> tuple[Cause, ...]:
    rate = view.scalar("learning_rate", "max")
    named = f"the learning rate of {number(rate)} is too high"
    if not rate > 0:
        named = "the learning rate is too high"
    huge = initial_weights_cause(view)
    if update.ratio > _WILD:
        return likely_first(huge, input_scale_cause(view), Cause(named))
    if optimizer_class(view) in ADAPTIVE and rate >= 0.03:
        support = (
            f"learning_rate: {optimizer_class(view)} moves each weight by about that much per step"
        )
        return likely_first(Cause(named, "likely", support), input_scale_cause(view), huge)
    if _overshoot(view):
        support = "step_overshoot: the last 5 steps looked at raised the loss of their own batch"
        return likely_first(Cause(named, "likely", support), input_scale_cause(view), huge)
    return likely_first(Cause(named), input_scale_cause(view), huge)


def _by_rate(view: View, update: Update) -> bool:
    """Whether it is for the rate to answer: a wild step only if inputs and weights are fine."""
    others = (initial_weights_cause(view), input_scale_cause(view))
    return update.ratio <= _WILD or all(cause.confidence == "ruled out" for cause in others)


def _fixes(view: View, update: Update) -> tuple[Fix, ...]:
    lower = lower_learning_rate(view, calmer(view, update.begin))
    name = optimizer_class(view) or "Adam"
    clip = Fix(
        "Clip the norm of the gradient.", f"keras.optimizers.{name}(learning_rate, clipnorm=1.0)"
    )
    if update.ratio > _WILD:
        smaller = Fix("Start from smaller weights.", 'kernel_initializer="he_normal"')
        rest = (clip,) if initial_weights_cause(view).confidence == "ruled out" else (clip, smaller)
        return (lower, *rest) if _by_rate(view, update) else rest
    warm_up = Fix("If that rate is needed later, let it rise over the first steps (warm-up).")
    return lower, warm_up, clip


def _kernels(first: float, later: float = 0.01) -> Measures:
    return {
        "update_ratio": lambda s: [first if s == 0 else later, 0.005],
        "weight_rms": lambda s: [0.3, 0.3],
    }


def _usual_start() -> Measures:
    fields = {"mean": 0, "std": [0.4, 0.3], "min": -1, "max": 1, "zero_fraction": 0}
    return {"initial_weights": lambda s: fields if s == 0 else None}


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
        "growth": 2.5,
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
            "restarts of the rate, and small steps",
            rows=_ROWS,
            variable=_kernels(0.01),
            run={
                "loss": lambda s: 2.3,
                "learning_rate": lambda s: 1e-3 * (1.01 - s % 60 / 60),
            },
            steps=300,
        ),
        case(
            "weights that grow, and the loss falls",
            rows=_ROWS,
            variable={
                "update_ratio": lambda s: [0.04, 0.005],
                "weight_rms": lambda s: [0.3 * 1.03 ** min(s, 50), 0.3],
            },
            run={"loss": lambda s: 2.3 * 0.96**s},
            steps=100,
        ),
        case(
            "weights that began small, as a language model's, grow to their size",
            rows={"variable": (kernel("dense/kernel", 9216), kernel("dense_1/kernel", 9216))},
            variable={
                "update_ratio": lambda s: [0.06, 0.06],
                "weight_rms": lambda s: [min(0.02 + 0.0015 * s, 0.08)] * 2,
            },
            run={"loss": lambda s: 2.2 + 1.5 * 0.95**s},
            steps=100,
        ),
        case(
            "weights that grow to reach large targets, and the loss goes on falling",
            rows=_ROWS,
            variable={
                "update_ratio": lambda s: [0.05, 0.005],
                "weight_rms": lambda s: [0.3 * 1.05 ** min(s, 60), 0.3],
            },
            run={"loss": lambda s: 8e3 + 1.9e5 * (1 - s / 200) ** 2},
            steps=100,
        ),
        case(
            "labels that come one class after the other add up the steps",
            rows={**_ROWS, "class": (Row("0", role="label"), Row("1", role="label"))},
            variable={
                "update_ratio": lambda s: [0.08 if s < 40 else 0.03, 0.005],
                "weight_rms": lambda s: [0.3 * 1.04 ** min(s, 50), 0.3],
            },
            classes={
                "label_counts": lambda s: {
                    "count": 32 * np.array([min(s + 1, 5), max(s - 4, 0)]),
                },
            },
            run={"loss": lambda s: 1.7, "learning_rate": lambda s: 0.2},
            steps=100,
        ),
        case(
            "a head that starts from almost zero",
            rows=_ROWS,
            variable={
                "update_ratio": lambda s: [0.3 / (s + 1), 0.005],
                "weight_rms": lambda s: [0.004 * (s + 1), 0.3],
            },
            run={"loss": lambda s: 2.3},
            steps=100,
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
            "a loss that sums too much throws the usual initial weights away at once",
            rows={**_ROWS, "feature": features(2)},
            variable={
                "update_ratio": lambda s: [8264.0, 7058.0],
                "weight_rms": lambda s: [0.3 * (1 if s == 0 else 8000), 0.3],
                **_usual_start(),
            },
            feature={
                "input_features": lambda s: {
                    "count": 32 * (s + 1),
                    "mean": 0,
                    "std": 1,
                    "min": -3,
                    "max": 3,
                    "nonfinite": 0,
                }
            },
            run={"loss": lambda s: 2.3e6 if s == 0 else 6e18, "learning_rate": lambda s: 0.1},
            facts={
                "optimizer": "SGD",
                "kernel_fans": {"dense/kernel": [5, 16], "dense_1/kernel": [16, 1]},
            },
            steps=10,
            severity="warning",
            layers=("dense/kernel",),
            onset=0,
        ),
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
            "momentum near one adds up steps of moderate length",
            rows=_ROWS,
            variable={
                "update_ratio": lambda s: [0.08 if s < 40 else 0.03, 0.005],
                "weight_rms": lambda s: [0.3 * 1.04 ** min(s, 50), 0.3],
            },
            run={"loss": lambda s: 1.7 if s != 15 else 0.8, "learning_rate": lambda s: 0.2},
            facts={"optimizer": "SGD", "momentum": 0.999},
            steps=100,
            severity="warning",
            layers=("dense/kernel",),
            onset=1,
        ),
        case(
            "momentum near one takes its time to add up the steps",
            rows=_ROWS,
            variable={
                "update_ratio": lambda s: [0.02, 0.005],
                "weight_rms": lambda s: [0.3 * 1.015 ** min(s, 150), 0.3],
            },
            run={"loss": lambda s: 1.7 if s != 15 else 0.8, "learning_rate": lambda s: 0.2},
            facts={"optimizer": "SGD", "momentum": 0.999},
            steps=200,
            severity="warning",
            layers=("dense/kernel",),
            onset=1,
        ),
        case(
            "a schedule that raises the rate a thousandfold",
            rows=_ROWS,
            variable={
                "update_ratio": lambda s: [0.01 if s < 120 else 4.0, 0.005],
                "weight_rms": lambda s: [0.3 if s < 120 else 3.0, 0.3],
            },
            run={
                "loss": lambda s: 2.3 * 0.98**s if s < 120 else 4.0,
                "learning_rate": lambda s: 2e-3 if s < 120 else 2.0,
            },
            facts={"optimizer": "Adam"},
            steps=200,
            severity="warning",
            layers=("dense/kernel",),
            onset=121,
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
