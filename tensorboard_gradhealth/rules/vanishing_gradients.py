"""The gradient is lost on its way to the first layers, and the loss does not fall.

## Meaning
The gradient of the first kernel is less than a thousandth of the largest one in the network,
per element, for a long time, while the loss makes no progress.

## Why it matters
The first layers stay what they were drawn at random to be; everything behind them has to work
with what they happen to let through.

## How it is measured
rms = `gradient_norm` / sqrt(size) per kernel with at least 16 elements; the ratio of the first
kernel (in network order) to the largest. It is a warning if ALL hold for 20 records in a row,
after step `warm_up`: the ratio is under `ratio`; the loss fell by less than `progress` from the
older to the newer half of the recent records; and it is still above `learned` of its first
value. Where it is known what always predicting the same gives, the loss may fall down to `guess`
of that: a bias learns so much without the layers. It is an error if the first kernel also hardly
moves: its `update_ratio` is under `still`. No absolute limit on the gradient is used: published
ones span eight orders of magnitude, because a gradient has the unit of the loss per parameter.
Measured ratios over 5 seeds: healthy networks 0.08 to 1, ten sigmoid layers 2e-6, ten ReLU layers
from weights of std 0.01 1e-12.

## Likely causes
- many sigmoid or tanh layers, saturated or not
- initial weights too small for the depth
- activations that attenuate, or dead units, on the way

## Fixes
ReLU-like activations with He initial weights; normalisation; residual connections.

## False alarms
At convergence all layers shrink together and the ratio stays. Kernels with a gradient of exactly
0 are frozen or disconnected, not vanishing, and are not judged; nor are embeddings. The kernels of
queries and keys get next to nothing while attention is still even: they are not judged either, and
no kernel is where an embedding in front of it has its gradient, for then the way to it is open.

## References
- Bengio et al., Learning long-term dependencies with gradient descent is difficult, 1994
- Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010
- Zhang et al., AUTOTRAINER, ICSE 2021 (the idea to compare layers, and only if the run is poor)
"""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, kernel, samples
from tensorboard_gradhealth.rules._flow import embeddings_in_front, passed_kernels
from tensorboard_gradhealth.rules._loss import guessing
from tensorboard_gradhealth.rules._support import (
    likely_first,
    loss_drop,
    median_loss,
    recent_loss_drop,
)
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, percent, quoted, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row


def check(view: View) -> Sign | None:
    """A sign while the first kernel gets next to nothing and the loss stands still."""
    if view.record.step < view.limits["warm_up"]:
        raise NotEvaluated(f"judged after step {view.limits['warm_up']:.0f}")
    size = view.sizes("gradient_norm")
    every = view.latest("gradient_norm") / np.sqrt(size)
    rms = np.where(passed_kernels(view) & (size >= 16), every, np.float32(np.nan))
    judged = np.flatnonzero(rms > 0)
    if len(judged) < 2:
        raise NotEvaluated("fewer than two kernels have a gradient")
    first, largest = int(judged[0]), int(judged[rms[judged].argmax()])
    ratio = float(rms[first]) / float(rms[largest])
    if not ratio < view.limits["ratio"] or _learns(view):
        return None
    if embeddings_in_front(view, every, first) > view.limits["ratio"] * rms[largest]:
        return None
    still = _update(view, first)
    stuck = still < view.limits["still"]
    rows = view.rows("gradient_norm")
    low = [int(i) for i in judged if rms[i] < view.limits["ratio"] * rms[largest]]
    return Sign(
        severity="error" if stuck else "warning",
        title=title("Almost no gradient reaches {}", rows[first].name, len(low) - 1),
        layers=tuple(rows[i].name for i in low),
        evidence=_evidence(view, first, largest, ratio, still),
        causes=_causes(view, rows[first].name, still),
        fixes=(
            Fix(
                "Use an activation that keeps the gradient, with initial weights made for it.",
                'keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal")',
            ),
            Fix("Normalise between the layers.", "keras.layers.BatchNormalization()"),
            Fix("Or lead the gradient around them.", "x = keras.layers.add([x, block(x)])"),
        ),
        harmless="The first layers are trained already and only the last ones are to adapt.",
        check="The gradient rms of the first kernel is above 0.01 of the largest within 50 steps.",
    )


def _learns(view: View) -> bool:
    guess = guessing(view)
    if guess and median_loss(view) > view.limits["guess"] * guess.loss:
        return False
    learned = loss_drop(view) > 1 - view.limits["learned"]
    return learned or not recent_loss_drop(view) < view.limits["progress"]


def _update(view: View, index: int) -> float:
    if not view.has("update_ratio"):
        return float("nan")
    return float(view.latest("update_ratio")[index])


def _evidence(
    view: View, first: int, largest: int, ratio: float, still: float
) -> tuple[Evidence, ...]:
    rows, step = view.rows("gradient_norm"), view.record.step
    name = rows[first].name
    found = [
        Evidence(
            f"gradient rms / that of {rows[largest].name}",
            ratio,
            view.limits["ratio"],
            "",
            "gradient_norm",
            step,
            name,
        ),
        _no_progress(view),
    ]
    if still < (limit := view.limits["still"]):
        found.append(Evidence("update ratio", still, limit, "", "update_ratio", step, name))
    return tuple(found)


def _no_progress(view: View) -> Evidence:
    """That the loss stands still, or falls only as far as without the layers."""
    step, fall, limit = view.record.step, recent_loss_drop(view), view.limits["progress"]
    if fall < limit or (guess := guessing(view)) is None:
        label = "fall of the loss over the recent records"
        return Evidence(label, fall, limit, "", "loss", step)
    label, ratio = "loss / that of always predicting the same", median_loss(view) / guess.loss
    return Evidence(label, ratio, view.limits["guess"], "", "loss", step)


def _causes(view: View, name: str, still: float) -> tuple[Cause, ...]:
    gain = _product(view, "activation_gain")
    slope = _product(view, "activation_slope")
    depth = Cause("many layers in a row each weaken the gradient a little")
    if slope < 1e-3:
        support = f"activation_slope: over all hidden layers its product is {number(slope)}"
        depth = Cause("the activation functions weaken the gradient", "likely", support)
    small = Cause("the initial weights are too small for the depth")
    if slope > 1e-3 and gain > 1e-3:
        support = f"activation_slope: {percent(slope)} of the gradient passes the activations"
        small = Cause(small.text, "likely", support)
    if not still >= view.limits["still"]:
        return likely_first(depth, small)
    support = f"update_ratio: it changes by {number(still)} of its size per step"
    return likely_first(depth, small, Cause(f"{quoted(name)} is stuck", "ruled out", support))


def _product(view: View, signal: str) -> float:
    if not view.has(signal):
        return float("nan")
    return float(np.prod(view.latest(signal)[view.where(signal, "hidden")], dtype=np.float64))


def _variables(ratio: float, update: float) -> Measures:
    return {
        "gradient_norm": lambda s: [0.1 * ratio, 0.1 * max(ratio, 0.01), 0.1],
        "update_ratio": lambda s: [update, update, 0.002],
    }


_ROWS: Rows = {"variable": tuple(kernel(f"dense_{i}/kernel") for i in range(3))}
_ATTENTION: Rows = {
    "variable": tuple(
        kernel(f"attention/{part}/kernel") for part in ("query", "key", "value", "attention_output")
    )
}
_EMBEDDED: Rows = {
    "variable": (Row("embed/embeddings", "embed", "embedding", 64000), *_ROWS["variable"][:2])
}

RULE = Rule(
    name="vanishing_gradients",
    code="GH501",
    group="gradient",
    requires=("gradient_norm", "loss"),
    limits={
        "ratio": 1e-3,
        "still": 1e-6,
        "progress": 0.05,
        "learned": 0.5,
        "guess": 0.95,
        "warm_up": 30,
    },
    hold=20,
    explained_by=(
        "unscaled_inputs",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "dead_units",
        "saturated_activations",
        "attenuating_activation",
        "loss_divergence",
    ),
    references=(
        "Bengio et al. 1994, Learning long-term dependencies with gradient descent is difficult",
        "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural "
        "networks (AISTATS)",
        "Zhang et al. 2021, AUTOTRAINER (ICSE)",
    ),
    check=check,
    healthy=(
        case(
            "an even flow without progress",
            rows=_ROWS,
            variable=_variables(0.3, 1e-3),
            run={"loss": lambda s: 0.69},
            steps=400,
        ),
        case(
            "a weak first layer in a network that learns",
            rows=_ROWS,
            variable=_variables(1e-5, 1e-3),
            run={"loss": lambda s: 2.3 * 0.99**s},
            steps=400,
        ),
        case(
            "a first layer that is frozen",
            rows=_ROWS,
            variable=_variables(0.0, 0.0),
            run={"loss": lambda s: 0.69},
            steps=400,
        ),
        case(
            "queries and keys while attention is even",
            rows=_ATTENTION,
            variable={"gradient_norm": lambda s: [1e-5, 1e-5, 0.05, 0.1]},
            run={"loss": lambda s: 0.69},
            steps=200,
        ),
        case(
            "a gradient that reaches the embedding in front",
            rows=_EMBEDDED,
            variable={"gradient_norm": lambda s: [0.1, 1e-5, 0.1]},
            run={"loss": lambda s: 0.69},
            steps=200,
        ),
        case(
            "learned long ago",
            rows=_ROWS,
            variable=_variables(1e-5, 1e-3),
            run={"loss": lambda s: 2.3 if s < 40 else 0.3},
            steps=1500,
        ),
    ),
    sick=(
        case(
            "ten sigmoid layers",
            rows=_ROWS,
            variable=_variables(2e-6, 2e-3),
            run={"loss": lambda s: 1.39},
            steps=400,
            severity="warning",
            layers=("dense_0/kernel",),
            onset=30,
        ),
        case(
            "the bias learns the mean, and no more is learned",
            rows={**_ROWS, "feature": (Row("y[0]", role="target"),)},
            variable=_variables(2e-6, 2e-3),
            run={"loss": lambda s: 1.0 + 1.2 * 0.98**s},
            feature=samples(0, 1, -3, 3, lambda s: 200),
            facts={"loss": "mse"},
            steps=250,
            severity="warning",
            layers=("dense_0/kernel",),
            onset=30,
        ),
        case(
            "what does not reach the first kernel does not reach the embedding either",
            rows=_EMBEDDED,
            variable={"gradient_norm": lambda s: [1e-6, 1e-6, 0.1]},
            run={"loss": lambda s: 0.69},
            steps=200,
            severity="warning",
            layers=("dense_0/kernel",),
            onset=30,
        ),
        case(
            "the first layer does not move at all",
            rows=_ROWS,
            variable=_variables(1e-12, 1e-9),
            run={"loss": lambda s: 1.39},
            steps=400,
            severity="error",
            layers=("dense_0/kernel",),
            onset=30,
        ),
    ),
)
