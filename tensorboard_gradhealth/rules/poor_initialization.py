"""The initial weights are too large, too small, or all alike.

## Meaning
Before the first step, the kernel of a layer is many times larger than its number of inputs asks
for, or the kernels of several layers in a row are so small that no signal passes them, or all
units of a layer are copies of each other.

## Why it matters
Weights that are too large saturate or explode what passes the layers: the loss starts far above
that of guessing, and the first gradients are huge. Weights that are too small let neither the
signal nor the gradient through. Units that start alike stay alike: they see the same inputs and
get the same gradient, and a layer of a thousand units is worth one.

## How it is measured
Once, from the weights before the first step (`initial_weights`), for kernels whose numbers of
inputs and units are known. Size = root mean square / sqrt(2 / inputs), which is 1 for He initial
weights, 0.7 for LeCun's, and between 0.3 and 1 for Glorot's. Reported at the first record:

- all alike, an error: two kernels in a row of which each has equal elements, or a kernel of zeros
  whose own gradient is exactly 0 at every step, so that it cannot leave them; a single kernel of
  equal elements other than 0 is a warning
- too large: a size over `large`, or over `recurrent` of a recurrent kernel, which a sequence passes
  many times, without a normalisation right after, AND the damage is seen: the
  first loss is over `loss_ratio` times that of guessing (a warning; an error over `lost` times),
  or more than `flat` of a hidden layer is saturated. Information if neither could be measured.
  Where the first loss is over `lost` times that of guessing, or not finite, sizes over `above` that
  multiply to more than `together`, or that of a recurrent kernel, are enough
- too small: sizes under `small` of most kernels, two at least, AND the gradient of the first
  kernel is under `gradient_ratio` of the largest, per element, of kernels and biases (a warning);
  or all sizes are under `tiny`, or the gradient is that faint and the sizes of a model without
  normalisation multiply to less than `faded`, which is information and becomes a warning if the
  loss has not fallen by `progress` at step `stalled`
- outputs too large, an error: no kernel is, but the first loss is over `lost` times that of
  guessing, and the first gradient is larger than that loss and than 100, while the inputs are
  scaled

It ends when the loss is below half of that of guessing.

Measured sizes: every initializer of Keras 0.3 to 1.2, `RandomNormal(0.05)` (its default) 0.1 to 1,
BERT's 0.02 0.4, `RandomNormal(1)` on 64 inputs 5.7 and on 784 inputs 20.

## Likely causes
- `RandomNormal`, `RandomUniform` or `Constant` with a fixed scale, whatever the number of inputs
- `Zeros` or `Ones` for kernels
- weights loaded from another architecture

## Fixes
`he_normal` for ReLU-like activations, `glorot_uniform` (the default) or `lecun_normal` for others.

## False alarms
Zeros that are meant to be left at once are right and not reported: the last layer of a residual
branch, a LoRA adapter's second factor, a head, biases. They have a gradient at the first step.
Pretrained weights are of any size; their first loss is low. Small weights between normalisations,
as Transformers begin with, are fine: kernels of queries and keys get next to no gradient at first
and are not looked at, and where an embedding in front gets a gradient, the way to it is open.

## References
- Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010
- He et al., Delving Deep into Rectifiers, arXiv 1502.01852
- Zhang et al., Fixup Initialization, arXiv 1901.09321 (zeros that are right)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Case, Measures, Rows, case, hidden, kernel
from tensorboard_gradhealth.rules._flow import embeddings_in_front, passed_kernels
from tensorboard_gradhealth.rules._loss import first_loss, guessing
from tensorboard_gradhealth.rules._support import (
    HUGE_START,
    Start,
    initial_kernels,
    input_scale,
    input_scale_cause,
    loss_drop,
    median_loss,
)
from tensorboard_gradhealth.rules._view import Bools, Floats, Steps, View
from tensorboard_gradhealth.rules._wording import number, percent, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row, Severity

_UNDERFLOW = 1e-20  # float32 ends at 1e-38, and gradients at the end are far below 1
_BOUNDED = ("tanh", "sigmoid", "softsign")


def check(view: View) -> Sign | None:
    """A sign for the worst that the weights began with."""
    start = initial_kernels(view)
    assert start is not None  # `requires` has it
    if not view.where("initial_weights", "kernel").any():
        raise NotEvaluated("the model has no kernel")
    if start.constant.any() and (alike := _alike(view, start) or _stuck(view, start)):
        return alike
    if not np.isfinite(start.size).any():
        raise NotEvaluated("the shapes of the kernels are not known")
    if view.record.step >= 20 and median_loss(view) < 0.5 * _guessing(view):
        return None
    if math.isfinite(first_loss(view)) and not math.isfinite(view.scalar("loss")):
        raise NotEvaluated("the loss became NaN or infinite later")
    return _large(view, start) or _small(view, start) or _growing(view)


def _guessing(view: View) -> float:
    """Loss before learning; the larger estimate where there are two. NaN if unknown."""
    guess, expected = guessing(view), view.scalar("expected_initial_loss")
    return float(np.fmax(expected, guess.loss if guess else math.nan))


def _alike(view: View, start: Start) -> Sign | None:
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
    return _alike_sign(view, "error" if pairs else "warning", head, names, evidence, cause)


def _stuck(view: View, start: Start) -> Sign | None:
    zeros = start.constant & (view.latest("initial_weights", "zero_fraction") == 1)
    if not (zeros.any() and view.has("gradient_norm")):
        return None
    gradient = np.concatenate(
        [view.early("gradient_norm", field="max"), view.past("gradient_norm")]
    )
    if gradient.shape[-1] != len(start.size) or not len(gradient):
        return None
    stuck = np.flatnonzero(zeros & (gradient == 0).all(axis=0))
    if not len(stuck):
        return None
    names = [view.rows("initial_weights")[i].name for i in stuck]
    largest = float(gradient[:, stuck].max())
    step = view.record.step
    evidence = Evidence(
        "largest gradient so far", largest, 0.0, "", "gradient_norm", step, names[0]
    )
    text = "zeros in front of zeros, or of a ReLU, let no gradient through to change them"
    what = f"{{}} {_start(names)} at 0 without a gradient"
    head = title(what, names[0], len(names) - 1)
    support = "gradient_norm: exactly 0 so far"
    cause = Cause(text, "likely", support)
    return _alike_sign(view, "error", head, names, evidence, cause)


def _alike_sign(
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
        fixes=(Fix(text, _layer_code(view, names[0])),),
        harmless="The layer is to stay switched off.",
        check="initial_weights shows a standard deviation above 0 for every kernel.",
    )


def _large(view: View, start: Start) -> Sign | None:
    judged = ~view.normalised("initial_weights") & np.isfinite(start.size)
    limits = _largest_sizes(view)
    large = np.flatnonzero(judged & (start.size > [view.limits[limit] for limit in limits]))
    alone = bool(len(large))
    if not alone and _first_loss_ratio(view) > view.limits["lost"]:
        large = _large_together(view, start, judged)
    if not len(large):
        return None
    worst = [int(i) for i in large[np.argsort(-start.size[large], kind="stable")]]
    damage, severity = _damage(view)
    if severity is None:
        return None
    names = [view.rows("initial_weights")[i].name for i in worst]
    size = float(start.size[worst[0]])
    return Sign(
        severity=severity,
        title=title(
            f"{{}} {_start(names)} at {number(size)} times the usual size", names[0], len(names) - 1
        ),
        layers=tuple(names),
        onset=0,
        evidence=(_size(view, names[0], size, limits[worst[0]] if alone else "above"), *damage),
        causes=(_scale_cause(view, worst[0], damage), input_scale_cause(view)),
        fixes=_fixes(view, names[0]),
        harmless="The layer's own function divides by that scale, or its output is normalised.",
        check="The first loss is near that of guessing, and the sizes are near 1.",
    )


def _large_together(view: View, start: Start, judged: Bools) -> Steps:
    """Kernels that are too large only because there are many, or are passed many times."""
    recurrent = np.array([limit == "recurrent" for limit in _largest_sizes(view)], bool)
    size = np.where(judged, start.size, 0)
    above = size > view.limits["above"]
    if size[above].prod() > view.limits["together"]:
        return np.flatnonzero(above)
    return np.flatnonzero(recurrent & above)


def _first_loss_ratio(view: View) -> float:
    """First loss / loss of guessing; NaN if unknown, as for a sum over the samples of a batch."""
    if any(head.get("reduction") == "sum" for head in view.facts.get("outputs") or ()):
        return math.nan
    first = first_loss(view)
    if math.isnan(first) and view.has("loss") and view.early("loss").size:
        first = math.inf  # it is beyond all numbers
    guess = _guessing(view)
    return first / guess if guess > 0 else math.nan


def _growing(view: View) -> Sign | None:
    """A sign where usual kernels give outputs that are far too large all the same.

    The gradient tells a large output from a large penalty, which has a small one.
    """
    ratio, limit, scale = _first_loss_ratio(view), view.limits["lost"], input_scale(view)
    if not ratio > limit or not view.has("gradient_global_norm"):
        return None
    norm = float(view.early("gradient_global_norm", 0, "max").sum())
    if not norm > max(100.0, first_loss(view)) or (scale is not None and scale.rms > 3):
        return None
    return Sign(
        severity="error",
        title=f"The outputs start far too large: the first loss is {number(ratio)} x guessing",
        onset=0,
        evidence=(
            Evidence("first loss / loss of guessing", ratio, limit, "", "loss"),
            Evidence("norm of the first gradient", norm, 100.0, "", "gradient_global_norm"),
        ),
        causes=(
            Cause(
                "the signal grows from block to block: residual branches add up",
                "likely",
                "initial_weights: no kernel is too large by itself",
            ),
            input_scale_cause(view),
        ),
        fixes=(
            Fix("Normalise what enters each branch.", "keras.layers.LayerNormalization()"),
            Fix(
                "Or let the last layer of each branch start at 0.",
                'keras.layers.Dense(units, kernel_initializer="zeros")',
            ),
        ),
        harmless="Never: what these outputs are worth is thrown away by the first steps.",
        check="The first loss is near that of guessing.",
    )


def _largest_sizes(view: View) -> list[str]:
    """Name of the limit of each kernel's size."""
    recurrent = (row.name.endswith("recurrent_kernel") for row in view.rows("initial_weights"))
    return ["recurrent" if is_recurrent else "large" for is_recurrent in recurrent]


def _damage(view: View) -> tuple[tuple[Evidence, ...], Severity | None]:
    """What shows that large weights hurt, and how much; None if it was looked for in vain."""
    flat = _flat_layer(view)
    ratio = _first_loss_ratio(view)
    by_inputs = input_scale_cause(view).confidence == "likely"  # the loss may be their doing
    limits = view.limits
    if ratio > limits["loss_ratio"] and not by_inputs:
        lost = ratio > limits["lost"]
        limit = limits["lost" if lost else "loss_ratio"]
        label = "first loss / loss of guessing"
        return (Evidence(label, ratio, limit, "", "loss"), *flat), "error" if lost else "warning"
    if flat:
        return flat, "warning"
    unknown = math.isnan(ratio) and not view.has("saturated_fraction")
    return (), "info" if unknown else None


def _flat_layer(view: View) -> tuple[Evidence, ...]:
    signal = "saturated_fraction"
    if not view.has(signal) or not view.where(signal, "hidden").any():
        return ()
    early = view.early(signal, 2)  # before learning can have done it
    share = np.where(view.where(signal, "hidden"), early, np.nan)
    share = np.nan_to_num(share, nan=0).max(axis=0, initial=0)
    worst, limit = int(share.argmax()), view.limits["flat"]
    if not share[worst] > limit:
        return ()
    name, label = view.rows(signal)[worst].name, "share of outputs that are saturated"
    return (Evidence(label, float(share[worst]), limit, "", signal, row=name),)


def _small(view: View, start: Start) -> Sign | None:
    size = np.where(view.normalised("initial_weights") | start.constant, np.nan, start.size)
    small = np.flatnonzero(size < view.limits["small"])
    ratio = _gradient_ratio(view)
    faint = ratio < view.limits["gradient_ratio"] and (ratio > 0 or _underflows(size))
    passed = float(np.prod(np.fmin(size[np.isfinite(size)], 1)))
    few = len(small) < max(2, np.isfinite(size).sum() / 2)
    together = few and faint and passed < view.limits["faded"]
    together = together and not view.where("initial_weights", "norm").any()
    if together:
        small = np.flatnonzero(size < 1)
    elif few:
        return None
    stalled = view.record.step >= view.limits["stalled"]
    stalled = stalled and loss_drop(view) < view.limits["progress"]
    if not faint and not np.nanmax(size) < view.limits["tiny"]:
        return None
    names = [view.rows("initial_weights")[i].name for i in small[np.argsort(size[small])]]
    smallest = float(np.nanmin(size))
    fainter = Evidence(
        "gradient rms of the first kernel / the largest",
        ratio,
        view.limits["gradient_ratio"],
        "",
        "gradient_norm",
        view.record.step,
    )
    support = f"gradient_norm: the first kernel gets {number(ratio)} of what the largest gets"
    text = "weights of a fixed small scale, whatever the number of inputs"
    head = f"{{}} {_start(names)} at {percent(smallest)} of the usual size"
    evidence = _size(view, names[0], smallest, "small")
    if together:
        text = f"of a signal, {len(names)} layers in a row without normalisation leave {passed:.1e}"
        head = f"{{}} let {passed:.1e} of a signal through in a row"
        label, limit = "product of rms / sqrt(2 / inputs) over the kernels", view.limits["faded"]
        evidence = Evidence(label, passed, limit, "", "initial_weights")
    return Sign(
        severity="warning" if stalled or (faint and not together) else "info",
        title=title(head, names[0], len(names) - 1),
        layers=tuple(names),
        onset=0,
        evidence=(
            evidence,
            *((fainter,) if np.isfinite(ratio) else ()),
        ),
        causes=(Cause(text, "likely", support) if faint else Cause(text),),
        fixes=_fixes(view, names[0]),
        harmless="The layers are bypassed by residual connections, or the loss falls all the same.",
        check="The sizes are near 1, and the gradient of the first kernel is above 0.01 of the "
        "largest.",
    )


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


def _start(names: Sequence[str]) -> str:
    return "starts" if len(names) == 1 else "start"


def _size(view: View, name: str, size: float, limit: str) -> Evidence:
    label = "rms of the kernel / sqrt(2 / inputs)"
    return Evidence(label, size, view.limits[limit], "", "initial_weights", row=name)


def _scale_cause(view: View, row: int, damage: tuple[Evidence, ...]) -> Cause:
    std = float(view.latest("initial_weights", "std")[row])
    text = f"an initializer of a fixed scale: the kernel has a standard deviation of {number(std)}"
    if not damage:
        return Cause(text)
    return Cause(text, "likely", f"{damage[0].signal}: {damage[0].label} {number(damage[0].value)}")


def _fixes(view: View, name: str) -> tuple[Fix, ...]:
    code = _layer_code(view, name)
    return (
        Fix("Let the initializer scale with the number of inputs.", code),
        Fix("Or normalise what the layer gives.", "keras.layers.LayerNormalization()"),
    )


def _layer_code(view: View, name: str) -> str:
    """The layer of a kernel with the initial weights that suit its activation."""
    rows = view.rows("saturated_fraction") if view.has("saturated_fraction") else ()
    layer = next(row.layer for row in view.rows("initial_weights") if row.name == name)
    function = next((row.function for row in rows if row.layer == layer), "")
    if name.endswith("recurrent_kernel"):
        kind = next((k for k in ("LSTM", "GRU") if k.lower() in name.lower()), "SimpleRNN")
        return f'keras.layers.{kind}(units, recurrent_initializer="orthogonal")'
    function, initial = (
        (function, "glorot_uniform") if function in _BOUNDED else ("relu", "he_normal")
    )
    return f'keras.layers.Dense(units, activation="{function}", kernel_initializer="{initial}")'


def _weights(*std: float, constant: Sequence[float] = ()) -> Measures:
    """Weights around 0 of these deviations; 0 stands for equal elements of these values."""
    values = np.array([*constant, *[0.0] * (len(std) - len(constant))])
    fields = {
        "mean": np.where(np.array(std) == 0, values, 0),
        "std": std,
        "min": values,
        "max": values,
        "zero_fraction": ((np.array(std) == 0) & (values == 0)).astype(float),
    }
    return {"initial_weights": lambda s: fields if s == 0 else None}


def _gradients(first: Sequence[float], later: Sequence[float] = (1.0, 1.0, 1.0)) -> Measures:
    return {"gradient_norm": lambda s: first if s == 0 else later}


_ROWS: Rows = {
    "variable": (
        kernel("dense/kernel", 4096),
        kernel("dense_1/kernel", 4096),
        kernel("out/kernel"),
    ),
    "activation": (hidden("dense", function="tanh"), hidden("dense_1", function="tanh")),
}
_ATTEND = ("query", "key", "value")
_EMBEDDING = Row("embed/embeddings", "embed", "embedding", 4096)
_FANS = {"dense/kernel": [64, 64], "dense_1/kernel": [64, 64], "out/kernel": [64, 4]}
_FACTS: dict[str, Any] = {"kernel_fans": _FANS, "loss": "sparse_categorical_crossentropy"}
_LEARNS: Measures = {"loss": lambda s: 1.39 * 0.97**s, "expected_initial_loss": lambda s: 1.39}
_STAYS: Measures = {"loss": lambda s: 1.39, "expected_initial_loss": lambda s: 1.39}
_HIGH: Measures = {"loss": lambda s: 300 if s < 30 else 9, "expected_initial_loss": lambda s: 1.39}


def _case(label: str, **given: Any) -> Case:
    """Thirty steps of the network above, unless something else is given."""
    return case(label, **{"rows": _ROWS, "steps": 30, "facts": _FACTS, **given})


RULE = Rule(
    name="poor_initialization",
    code="GH201",
    group="setup",
    requires=("initial_weights",),
    limits={
        "large": HUGE_START,
        "recurrent": 1.5,
        "loss_ratio": 2.0,
        "lost": 10.0,
        "above": 1.2,
        "together": 10.0,
        "faded": 1e-4,
        "flat": 0.5,
        "small": 0.25,
        "tiny": 0.1,
        "gradient_ratio": 1e-4,
        "stalled": 100,
        "progress": 0.05,
    },
    explained_by=("unscaled_inputs",),
    inhibited_by=(),  # a first loss that is not finite may be its doing
    references=(
        "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural "
        "networks (AISTATS)",
        "He et al. 2015, Delving Deep into Rectifiers (arXiv 1502.01852)",
        "Zhang et al. 2019, Fixup Initialization (arXiv 1901.09321)",
    ),
    check=check,
    healthy=(
        _case(
            "a large penalty on usual weights",
            run={**_HIGH, "gradient_global_norm": lambda s: 30.0},
            variable=_weights(0.177, 0.177, 0.177),
        ),
        _case(
            "Glorot, He and LeCun",
            run=_STAYS,
            variable={**_weights(0.125, 0.177, 0.171), **_gradients([1, 1, 1])},
        ),
        _case(
            "a residual branch that ends in zeros",
            run=_LEARNS,
            variable={**_weights(0.177, 0, 0.171), **_gradients([0, 0.4, 1])},
        ),
        _case(
            "a small scale in attention, whose queries and keys get little at first",
            rows={"variable": tuple(kernel(f"attention/{part}/kernel", 4096) for part in _ATTEND)},
            run=_LEARNS,
            variable={**_weights(0.02, 0.02, 0.02), **_gradients([1e-5, 1e-5, 1])},
            facts={"kernel_fans": {f"attention/{part}/kernel": [64, 64] for part in _ATTEND}},
        ),
        _case(
            "a gradient that something behind cuts off, which is not for this rule to say",
            run=_STAYS,
            variable={**_weights(0.02, 0.02, 0.02), **_gradients([0, 0, 1], [0, 0, 1])},
        ),
        _case(
            "a small scale behind an embedding that has its gradient",
            rows={"variable": (_EMBEDDING, *_ROWS["variable"][:2])},
            run=_LEARNS,
            variable={**_weights(0.02, 0.02, 0.02), **_gradients([0.1, 1e-5, 1])},
        ),
        case(
            "a LoRA adapter, whose second factor is zero",
            rows={"variable": (kernel("dense/lora_kernel_a"), kernel("dense/lora_kernel_b"))},
            run=_LEARNS,
            variable={**_weights(0.18, 0), **_gradients([0, 0.1], [0.1, 0.1])},
            steps=30,
            facts={"kernel_fans": {"dense/lora_kernel_a": [64, 4], "dense/lora_kernel_b": [4, 64]}},
        ),
        _case(
            "two heads of zeros",
            run=_LEARNS,
            variable={**_weights(0.177, 0, 0), **_gradients([0, 0.4, 1])},
        ),
        case(
            "equal scales that are broadcast, and embeddings of zeros",
            rows={
                "variable": (
                    kernel("a/scale", 64),
                    kernel("b/scale", 64),
                    Row("embed/embeddings", "embed", "embedding", 640),
                    kernel("out/kernel"),
                )
            },
            run=_STAYS,
            variable={**_weights(0, 0, 0, 0.18, constant=[1e-6, 1e-6]), **_gradients([1, 1, 0, 1])},
            steps=30,
            facts={
                "kernel_fans": {"a/scale": [1, 64], "b/scale": [1, 64], "out/kernel": [64, 4]},
                "loss": "mean_squared_error",
            },
        ),
        case(
            "large weights right before a normalisation",
            rows={
                "variable": (
                    kernel("dense/kernel", 4096),
                    Row("norm/gamma", "norm", "norm", 64),
                    kernel("out/kernel"),
                )
            },
            run=_HIGH,
            variable={**_weights(3, 0, 0.17, constant=[0, 1]), **_gradients([1, 1, 1])},
            steps=30,
            facts=_FACTS,
        ),
        _case(
            "pretrained weights",
            run={"loss": lambda s: 0.4, "expected_initial_loss": lambda s: 1.39},
            variable={**_weights(1.5, 0.2, 0.2), **_gradients([1, 1, 1])},
        ),
        _case(
            "a loss that is the sum over a batch, not its mean",
            run={**_HIGH, "gradient_global_norm": lambda s: 4e3},
            variable=_weights(0.177, 0.177, 0.177),
            facts={**_FACTS, "outputs": [{"reduction": "sum"}]},
        ),
        _case(
            "large weights, of which nothing is felt",
            run=_STAYS,
            variable={**_weights(1.5, 0.2, 0.2), **_gradients([1, 1, 1])},
            activation={"saturated_fraction": lambda s: [0.2, 0.1]},
        ),
        case(
            "inputs of a thousand make the loss high, not the weights",
            rows={**_ROWS, "feature": (Row("x[0]", "", "input"),)},
            run=_HIGH,
            variable={**_weights(1.5, 0.2, 0.2), **_gradients([1, 1, 1])},
            feature={
                "input_features": lambda s: {
                    "count": 64,
                    "mean": 900,
                    "std": 300,
                    "min": 10,
                    "max": 2000,
                    "nonfinite": 0,
                }
            },
            steps=30,
            facts=_FACTS,
        ),
        case(
            "a large recurrent kernel that gates hold",
            rows={"variable": (kernel("rnn/kernel", 48), kernel("rnn/recurrent_kernel", 576))},
            run=_LEARNS,
            variable=_weights(0.3, 1.2),
            steps=30,
            facts={"kernel_fans": {"rnn/kernel": [2, 24], "rnn/recurrent_kernel": [24, 24]}},
        ),
        case(
            "small weights that are bypassed",
            rows=_ROWS,
            run=_STAYS,
            variable={**_weights(0.02, 0.02, 0.1), **_gradients([0.5, 0.5, 1])},
            facts=_FACTS,
            steps=300,
        ),
        case(
            "a few small kernels among many, and a faint first gradient",
            rows={"variable": tuple(kernel(f"dense_{i}/kernel", 4096) for i in range(6))},
            run=_STAYS,
            variable={
                **_weights(0.18, 0.01, 0.18, 0.01, 0.18, 0.18),
                "gradient_norm": lambda s: [1e-6, 1, 1, 1, 1, 1],
            },
            steps=30,
            facts={"kernel_fans": {f"dense_{i}/kernel": [64, 64] for i in range(6)}},
        ),
        case(
            "tiny weights, and the loss falls",
            rows=_ROWS,
            run=_LEARNS,
            variable={**_weights(0.01, 0.01, 0.01), **_gradients([0.5, 0.5, 1])},
            facts=_FACTS,
            steps=300,
        ),
    ),
    sick=(
        _case(
            "each kernel is three times too large, and there are many",
            rows={"variable": tuple(kernel(f"dense_{i}/kernel", 4096) for i in range(8))},
            variable=_weights(*[0.58] * 8),
            run=_HIGH,
            facts={**_FACTS, "kernel_fans": {f"dense_{i}/kernel": [64, 64] for i in range(8)}},
            severity="error",
            layers=tuple(f"dense_{i}/kernel" for i in range(8)),
            onset=0,
        ),
        _case(
            "a recurrent kernel whose loss is beyond all numbers at once",
            rows={"variable": (kernel("rnn/kernel", 32), kernel("rnn/recurrent_kernel", 1024))},
            variable=_weights(0.26, 0.35),
            run={"loss": lambda s: math.inf, "expected_initial_loss": lambda s: 1.39},
            facts={
                **_FACTS,
                "kernel_fans": {"rnn/kernel": [2, 32], "rnn/recurrent_kernel": [32, 32]},
            },
            severity="error",
            layers=("rnn/recurrent_kernel",),
            onset=0,
        ),
        _case(
            "thirty plain layers with Glorot's weights",
            rows={
                "variable": (
                    *(kernel(f"dense_{i}/kernel", 1024) for i in range(30)),
                    Row("out/bias", "out", "bias", 10),
                )
            },
            variable={
                **_weights(*[0.177] * 31),
                "gradient_norm": lambda s: [1e-5] * 30 + [0.15],
            },
            run=_STAYS,
            facts={**_FACTS, "kernel_fans": {f"dense_{i}/kernel": [32, 32] for i in range(30)}},
            steps=150,
            severity="warning",
            layers=tuple(f"dense_{i}/kernel" for i in range(30)),
            onset=0,
        ),
        _case(
            "residual branches that add up",
            run={**_HIGH, "gradient_global_norm": lambda s: 4e3},
            variable=_weights(0.177, 0.177, 0.177),
            severity="error",
            onset=0,
        ),
        _case(
            "a deviation of 1 on many inputs",
            run=_HIGH,
            variable={**_weights(1, 1.2, 0.2), **_gradients([100, 100, 100])},
            severity="error",
            layers=("dense_1/kernel", "dense/kernel"),
            onset=0,
        ),
        _case(
            "it saturates the layer behind it",
            run=_STAYS,
            variable={**_weights(3, 0.2, 0.2), **_gradients([1, 1, 1])},
            activation={"saturated_fraction": lambda s: [0.9, 0.1]},
            severity="warning",
            layers=("dense/kernel",),
            onset=0,
        ),
        _case(
            "all ones",
            run=_STAYS,
            variable={**_weights(0, 0, 0.2, constant=[1, 1]), **_gradients([1, 1, 1])},
            severity="error",
            layers=("dense/kernel", "dense_1/kernel"),
            onset=0,
        ),
        _case(
            "one layer of equal weights",
            run=_STAYS,
            variable={**_weights(0.125, 0, 0.2, constant=[0, 0.05]), **_gradients([1, 1, 1])},
            severity="warning",
            layers=("dense_1/kernel",),
            onset=0,
        ),
        _case(
            "zeros in front of a ReLU",
            run=_STAYS,
            variable={**_weights(0, 0, 0.2), **_gradients([0, 0, 0], [0, 0, 0])},
            severity="error",
            layers=("dense/kernel", "dense_1/kernel"),
            onset=0,
        ),
        _case(
            "too small for the depth",
            run=_STAYS,
            variable={**_weights(0.01, 0.01, 0.01), **_gradients([1e-8, 1e-4, 1])},
            severity="warning",
            layers=("dense/kernel", "dense_1/kernel", "out/kernel"),
            onset=0,
        ),
        case(
            "so small that nothing is learned",
            rows=_ROWS,
            run=_STAYS,
            variable={**_weights(0.001, 0.001, 0.001), **_gradients([0.5, 0.5, 1])},
            facts=_FACTS,
            steps=300,
            severity="warning",
            layers=("dense/kernel", "dense_1/kernel", "out/kernel"),
            onset=0,
        ),
        case(
            "a recurrent kernel that grows what passes it, step by step of a sequence",
            rows={"variable": (kernel("rnn/kernel", 48), kernel("rnn/recurrent_kernel", 576))},
            run=_HIGH,
            variable=_weights(0.3, 1.2),
            steps=30,
            facts={"kernel_fans": {"rnn/kernel": [2, 24], "rnn/recurrent_kernel": [24, 24]}},
            severity="error",
            layers=("rnn/recurrent_kernel",),
            onset=0,
        ),
    ),
)
