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

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._alike import alike, stuck
from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import (
    Case,
    Measure,
    Measures,
    Rows,
    case,
    found,
    hidden,
    kernel,
    samples,
)
from tensorboard_gradhealth.rules._loss import first_loss
from tensorboard_gradhealth.rules._oversized import (
    loss_before_learning,
    oversized,
    oversized_outputs,
)
from tensorboard_gradhealth.rules._support import HUGE_START, initial_kernels, median_loss
from tensorboard_gradhealth.rules._undersized import undersized
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.types import Row


def check(view: View) -> Sign | None:
    """A sign for the worst that the weights began with."""
    start = initial_kernels(view)
    assert start is not None  # `requires` has it
    if not view.where("initial_weights", "kernel").any():
        raise NotEvaluated("the model has no kernel")
    if start.constant.any() and (copies := alike(view, start) or stuck(view, start)):
        return copies
    if not np.isfinite(start.size).any():
        raise NotEvaluated("the shapes of the kernels are not known")
    if view.record.step >= 20 and median_loss(view) < 0.5 * loss_before_learning(view):
        return None
    if math.isfinite(first_loss(view)) and not math.isfinite(view.scalar("loss")):
        raise NotEvaluated("the loss became NaN or infinite later")
    return oversized(view, start) or undersized(view, start) or oversized_outputs(view)


def _weights(*std: float, constant: Sequence[float] = ()) -> dict[str, Measure]:
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


def _gradients(
    first: Sequence[float], later: Sequence[float] = (1.0, 1.0, 1.0)
) -> dict[str, Measure]:
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


def _case(label: str, run: Measures, variable: Measures, **given: Any) -> Case:
    """Thirty steps of the network above, unless something else is given."""
    usual = {"rows": _ROWS, "steps": 30, "facts": _FACTS}
    return case(label, run=run, variable=variable, **{**usual, **given})


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
            variable=_weights(0.125, 0.177, 0.171) | _gradients([1, 1, 1]),
        ),
        _case(
            "a residual branch that ends in zeros",
            run=_LEARNS,
            variable=_weights(0.177, 0, 0.171) | _gradients([0, 0.4, 1]),
        ),
        _case(
            "a small scale in attention, whose queries and keys get little at first",
            rows={"variable": tuple(kernel(f"attention/{part}/kernel", 4096) for part in _ATTEND)},
            run=_LEARNS,
            variable=_weights(0.02, 0.02, 0.02) | _gradients([1e-5, 1e-5, 1]),
            facts={"kernel_fans": {f"attention/{part}/kernel": [64, 64] for part in _ATTEND}},
        ),
        _case(
            "a gradient that something behind cuts off, which is not for this rule to say",
            run=_STAYS,
            variable=_weights(0.02, 0.02, 0.02) | _gradients([0, 0, 1], [0, 0, 1]),
        ),
        _case(
            "a small scale behind an embedding that has its gradient",
            rows={"variable": (_EMBEDDING, *_ROWS["variable"][:2])},
            run=_LEARNS,
            variable=_weights(0.02, 0.02, 0.02) | _gradients([0.1, 1e-5, 1]),
        ),
        _case(
            "a LoRA adapter, whose second factor is zero",
            rows={"variable": (kernel("dense/lora_kernel_a"), kernel("dense/lora_kernel_b"))},
            run=_LEARNS,
            variable=_weights(0.18, 0) | _gradients([0, 0.1], [0.1, 0.1]),
            facts={"kernel_fans": {"dense/lora_kernel_a": [64, 4], "dense/lora_kernel_b": [4, 64]}},
        ),
        _case(
            "two heads of zeros",
            run=_LEARNS,
            variable=_weights(0.177, 0, 0) | _gradients([0, 0.4, 1]),
        ),
        _case(
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
            variable=_weights(0, 0, 0, 0.18, constant=[1e-6, 1e-6]) | _gradients([1, 1, 0, 1]),
            facts={
                "kernel_fans": {"a/scale": [1, 64], "b/scale": [1, 64], "out/kernel": [64, 4]},
                "loss": "mean_squared_error",
            },
        ),
        _case(
            "large weights right before a normalisation",
            rows={
                "variable": (
                    kernel("dense/kernel", 4096),
                    Row("norm/gamma", "norm", "norm", 64),
                    kernel("out/kernel"),
                )
            },
            run=_HIGH,
            variable=_weights(3, 0, 0.17, constant=[0, 1]) | _gradients([1, 1, 1]),
        ),
        _case(
            "pretrained weights",
            run={"loss": lambda s: 0.4, "expected_initial_loss": lambda s: 1.39},
            variable=_weights(1.5, 0.2, 0.2) | _gradients([1, 1, 1]),
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
            variable=_weights(1.5, 0.2, 0.2) | _gradients([1, 1, 1]),
            activation={"saturated_fraction": lambda s: [0.2, 0.1]},
        ),
        _case(
            "inputs of a thousand make the loss high, not the weights",
            rows={**_ROWS, "feature": (Row("x[0]", "", "input"),)},
            run=_HIGH,
            variable=_weights(1.5, 0.2, 0.2) | _gradients([1, 1, 1]),
            feature=samples(900, 300, 10, 2000, lambda s: 64),
        ),
        _case(
            "a large recurrent kernel that gates hold",
            rows={"variable": (kernel("rnn/kernel", 48), kernel("rnn/recurrent_kernel", 576))},
            run=_LEARNS,
            variable=_weights(0.3, 1.2),
            facts={"kernel_fans": {"rnn/kernel": [2, 24], "rnn/recurrent_kernel": [24, 24]}},
        ),
        _case(
            "small weights that are bypassed",
            run=_STAYS,
            variable=_weights(0.02, 0.02, 0.1) | _gradients([0.5, 0.5, 1]),
            steps=300,
        ),
        _case(
            "a few small kernels among many, and a faint first gradient",
            rows={"variable": tuple(kernel(f"dense_{i}/kernel", 4096) for i in range(6))},
            run=_STAYS,
            variable={
                **_weights(0.18, 0.01, 0.18, 0.01, 0.18, 0.18),
                "gradient_norm": lambda s: [1e-6, 1, 1, 1, 1, 1],
            },
            facts={"kernel_fans": {f"dense_{i}/kernel": [64, 64] for i in range(6)}},
        ),
        _case(
            "tiny weights, and the loss falls",
            run=_LEARNS,
            variable=_weights(0.01, 0.01, 0.01) | _gradients([0.5, 0.5, 1]),
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
            **found("error", 0, "rnn/recurrent_kernel"),
        ),
        _case(
            "thirty plain layers with Glorot's weights",
            rows={
                "variable": (
                    *(kernel(f"dense_{i}/kernel", 1024) for i in range(30)),
                    Row("out/bias", "out", "bias", 10),
                )
            },
            variable={**_weights(*[0.177] * 31), "gradient_norm": lambda s: [1e-5] * 30 + [0.15]},
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
            **found("error", 0),
        ),
        _case(
            "a deviation of 1 on many inputs",
            run=_HIGH,
            variable=_weights(1, 1.2, 0.2) | _gradients([100, 100, 100]),
            **found("error", 0, "dense_1/kernel", "dense/kernel"),
        ),
        _case(
            "it saturates the layer behind it",
            run=_STAYS,
            variable=_weights(3, 0.2, 0.2) | _gradients([1, 1, 1]),
            activation={"saturated_fraction": lambda s: [0.9, 0.1]},
            **found("warning", 0, "dense/kernel"),
        ),
        _case(
            "all ones",
            run=_STAYS,
            variable=_weights(0, 0, 0.2, constant=[1, 1]) | _gradients([1, 1, 1]),
            **found("error", 0, "dense/kernel", "dense_1/kernel"),
        ),
        _case(
            "one layer of equal weights",
            run=_STAYS,
            variable=_weights(0.125, 0, 0.2, constant=[0, 0.05]) | _gradients([1, 1, 1]),
            **found("warning", 0, "dense_1/kernel"),
        ),
        _case(
            "zeros in front of a ReLU",
            run=_STAYS,
            variable=_weights(0, 0, 0.2) | _gradients([0, 0, 0], [0, 0, 0]),
            **found("error", 0, "dense/kernel", "dense_1/kernel"),
        ),
        _case(
            "too small for the depth",
            run=_STAYS,
            variable=_weights(0.01, 0.01, 0.01) | _gradients([1e-8, 1e-4, 1]),
            **found("warning", 0, "dense/kernel", "dense_1/kernel", "out/kernel"),
        ),
        _case(
            "so small that nothing is learned",
            run=_STAYS,
            variable=_weights(0.001, 0.001, 0.001) | _gradients([0.5, 0.5, 1]),
            steps=300,
            **found("warning", 0, "dense/kernel", "dense_1/kernel", "out/kernel"),
        ),
        _case(
            "a recurrent kernel that grows what passes it, step by step of a sequence",
            rows={"variable": (kernel("rnn/kernel", 48), kernel("rnn/recurrent_kernel", 576))},
            run=_HIGH,
            variable=_weights(0.3, 1.2),
            facts={"kernel_fans": {"rnn/kernel": [2, 24], "rnn/recurrent_kernel": [24, 24]}},
            **found("error", 0, "rnn/recurrent_kernel"),
        ),
    ),
)
