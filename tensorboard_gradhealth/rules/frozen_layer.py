"""A layer that should be trained gets no gradient, or does not move; or no layer does.

## Meaning
A trainable kernel has a gradient of exactly 0 at every step, or none at all, while other weights
of the network have one; or its gradient arrives and the weights stay what they are. Or nothing can
move at all: no weight is trainable, none has a gradient, or the optimizer is never called.

## Why it matters
The layer remains what it was drawn at random to be, and so does everything in front of it on that
path. The rest learns around it, so the loss may fall and hide the fault.

## How it is measured
It is an error if nothing can move:

- the model has weights, and none of them is trainable
- the gradient of every weight was exactly 0 at every step so far, and no layer is dead or saturated
- by step `called` the optimizer that the run was given has not been asked to change a weight, and
  the loss has not fallen

Else over kernels, while the gradient of some other weight is above 0. A warning if one of these
holds, from step `first_judged` on, for at least `records` records:

- `gradient_norm` was exactly 0 at all steps so far; or at all steps of the kept past, while the
  loss neither fell by `learned` since the start nor by `progress` of late
- it was never measured, although the loss is differentiated for the whole model by Keras: no path
  leads from the layer to the loss. In a loop of one's own, from step `called` on: its only
  optimizer is not given these weights
- `update_ratio` was exactly 0 in the kept past while the gradient and the learning rate were not,
  and other kernels moved

It is information where only recurrent kernels are concerned, which have nothing to do in sequences
of one step, and where no path leads to the loss but some output of the model has none. An exact 0
is asked for because small gradients are another matter (`vanishing_gradients`). Units that are
dead and activations that are saturated make it exactly 0 as well: where a layer is lost to them,
those rules speak and this one is silent.

## Likely causes
- a layer whose output is not used, or passes argmax, rounding, `stop_gradient` or NumPy
- attention over sequences of one element
- an optimizer that was built for other variables, or is not called
- a loss that counts errors, or compares classes by argmax
- batch normalisation over a batch of one sample, which leaves nothing of it
- `trainable = False` on the whole model instead of its lower layers
- 16-bit weights, which round small changes away

## Fixes
Lead the output of the layer to the loss by differentiable operations, or set `trainable = False`
where it is meant to stay as it is.

## False alarms
Layers with `trainable = False` are not looked at, nor are biases (that of attention keys has no
gradient by construction), embeddings and scales. Branches that start from zero get a gradient
after the first step. Adversarial networks, which take turns, skipped and accumulated steps have
steps without a change: all steps so far must agree.

## References
- Zhang et al., AUTOTRAINER, ICSE 2021
- Ben Braiek & Khomh, Testing Feedforward Neural Networks Training Programs, arXiv 2204.00694
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import (
    Case,
    Measures,
    Rows,
    case,
    features,
    found,
    hidden,
    kernel,
    samples,
)
from tensorboard_gradhealth.rules._standstill import (
    never_called,
    no_gradient_at_all,
    nothing_to_train,
)
from tensorboard_gradhealth.rules._still import Still, no_change, no_gradient, no_path
from tensorboard_gradhealth.rules._support import likely_first
from tensorboard_gradhealth.rules._view import Bools, View
from tensorboard_gradhealth.rules._wording import title
from tensorboard_gradhealth.types import NOT_MEASURED, Cause, Evidence, Fix, Row

_LOST = 0.95  # Share of a hidden layer that is dead or saturated so that it stops a gradient.
_BATCHES = Fix("Train on batches of several samples.", "model.fit(x, y, batch_size=32)")
_FIXES = (
    Fix(
        "See whether the output of the layer changes the loss, and how.",
        "with tf.GradientTape() as tape:\n"
        "    loss = model.compute_loss(x, y, model(x, training=True))\n"
        "print(tape.gradient(loss, model.trainable_variables))",
    ),
    Fix("If it is to stay as it is, say so.", "layer.trainable = False"),
)


def check(view: View) -> Sign | None:
    """A sign while a kernel stands still and others learn, or while nothing can."""
    if (nothing := nothing_to_train(view) or never_called(view)) is not None:
        return nothing
    limits = view.limits
    if not view.has("gradient_norm"):
        raise NotEvaluated("signal `gradient_norm` was not recorded")
    if view.record.step < limits["first_judged"]:
        raise NotEvaluated(f"judged from step {limits['first_judged']:.0f} on")
    kernels = view.where("gradient_norm", "kernel")
    if not (kernels & _may_stand_still(view)).any():
        return None
    past = view.past("gradient_norm", field="max")
    if len(past) < limits["records"]:
        raise NotEvaluated(f"needs {limits['records']:.0f} records")
    if _lost_elsewhere(view):
        return None
    if not (past > 0).any():
        return no_gradient_at_all(view, past)
    for still in (no_path(view, past), no_gradient(view, past), no_change(view, past)):
        if still is not None and (still.rows & kernels).any():
            return _sign(view, still, still.rows & kernels)
    return None


def _may_stand_still(view: View) -> Bools:
    """Which rows did in the newest record; the past is looked at for those alone."""
    gradient = view.latest("gradient_norm", "max")
    still = (gradient == 0) | np.isnan(gradient)
    if view.has("update_ratio") and len(view.latest("update_ratio")) == len(gradient):
        still |= view.latest("update_ratio", "max") == 0
    return np.asarray(still)


def _lost_elsewhere(view: View) -> bool:
    """Whether a hidden layer is dead or saturated, which stops gradients and has its own rule.

    Raises:
      NotEvaluated: It is not known yet.
    """
    for signal in ("dead_fraction", "saturated_fraction"):
        if not view.has(signal) or not view.where(signal, "hidden").any():
            continue
        hidden_rows = view.where(signal, "hidden")
        lost = view.past(signal)[:, hidden_rows]
        if (lost > _LOST).any():
            return True
        if signal == "dead_fraction" and not np.isfinite(lost).any():
            raise NotEvaluated("whether units are dead is not known yet")
    return False


def _alone_in_batch(view: View) -> tuple[Cause, ...]:
    """Batch normalisation of one sample, from which it subtracts the mean: the sample itself."""
    if not (view.facts.get("batch_norm_momentum") and view.has("input_features")):
        return ()
    count = view.early("input_features", 0, "count")
    if not len(count) or np.nanmax(count[0], initial=0) != 1:
        return ()
    text = "batch normalisation of a single sample leaves nothing of it"
    return (Cause(text, "likely", "input_features: one sample in the first batch"),)


def _sign(view: View, still: Still, rows: Bools) -> Sign:
    index = np.flatnonzero(rows)
    names = [view.rows("gradient_norm")[i].name for i in index]
    head = still.title
    if len(names) > 1:
        head = head.replace("gets", "get").replace("does", "do")
    step = view.record.step
    recurrent = all(name.endswith("recurrent_kernel") for name in names)
    evidence = Evidence(still.label, 0.0, 0.0, "", still.signal, step, names[0])
    alone = _alone_in_batch(view) if still.label == "largest gradient norm" else ()
    return Sign(
        severity="info" if recurrent or still.expected else "warning",
        title=title(head, names[0], len(names) - 1),
        layers=tuple(names),
        evidence=(evidence, *_others(view, index)),
        causes=likely_first(
            *(alone or (Cause(still.cause, "likely", still.support),)),
            Cause("the layer is not meant to be trained"),
        ),
        fixes=(_BATCHES, *_FIXES) if alone else _FIXES,
        harmless="The layer belongs to a part that is trained at other times.",
        check="gradient_norm and update_ratio of the layer are above 0 at the first steps.",
    )


def _others(view: View, still: Any) -> tuple[Evidence, ...]:
    """The gradient that others have, for comparison."""
    norm = np.where(view.where("gradient_norm", "kernel"), view.latest("gradient_norm"), np.nan)
    norm[still] = np.nan
    largest = float(np.nanmax(norm, initial=-math.inf))
    if not largest > 0:
        return ()
    name = view.rows("gradient_norm")[int(np.nanargmax(norm))].name
    label, step = "gradient norm of another kernel", view.record.step
    return (Evidence(label, largest, None, "", "gradient_norm", step, name),)


def _flow(*norms: float, ratio: tuple[float, ...] = ()) -> Measures:
    ratios = ratio or tuple(0.0 if norm == 0 else 0.002 for norm in norms)
    return {"gradient_norm": lambda s: norms, "update_ratio": lambda s: ratios}


_ROWS: Rows = {
    "variable": (kernel("dense/kernel"), kernel("dense_1/kernel"), kernel("out/kernel")),
    "activation": (hidden("dense"), hidden("dense_1")),
}
_LEARNS: Measures = {"loss": lambda s: 2.3 * 0.99**s, "learning_rate": lambda s: 1e-3}
_STAYS: Measures = {"loss": lambda s: 2.3, "learning_rate": lambda s: 1e-3}
_FACTS = {"loss": "mean_squared_error"}
_BIAS = Row("out/bias", "out", "bias", 4)


def _case(label: str, run: Measures, variable: Measures, **given: Any) -> Case:
    """A run of the three layers above."""
    return case(label, run=run, variable=variable, **{"rows": _ROWS, **given})


RULE = Rule(
    name="frozen_layer",
    code="GH504",
    group="gradient",
    limits={"first_judged": 24, "records": 20, "learned": 0.5, "progress": 0.05, "called": 48},
    hold=3,
    explained_by=(
        "unscaled_inputs",
        "poor_initialization",
        "output_loss_mismatch",
        "learning_rate_too_high",
        "dead_units",
        "saturated_activations",
        "attenuating_activation",
        "vanishing_gradients",
    ),
    references=(
        "Zhang et al. 2021, AUTOTRAINER (ICSE)",
        "Ben Braiek & Khomh 2022, Testing Feedforward Neural Networks Training Programs "
        "(arXiv 2204.00694)",
    ),
    check=check,
    healthy=(
        _case("all get some", _LEARNS, _flow(1e-9, 0.1, 1), facts=_FACTS),
        _case(
            "a branch that starts from zero",
            run=_LEARNS,
            variable={"gradient_norm": lambda s: [0 if s == 0 else 0.1, 0.1, 1]},
        ),
        case(
            "biases and embeddings without a gradient",
            rows={
                "variable": (
                    Row("embed/embeddings", "embed", "embedding", 640),
                    Row("key/bias", "key", "bias", 64),
                    kernel("dense/kernel"),
                )
            },
            run=_STAYS,
            variable=_flow(0, 0, 1),
        ),
        _case(
            "all is learned: no gradient anywhere",
            run={"loss": lambda s: 0.9 if s < 10 else 0.3, "learning_rate": lambda s: 1e-3},
            variable={"gradient_norm": lambda s: [1, 1, 1] if s < 10 else [0, 0, 0]},
            steps=300,
        ),
        _case(
            "the first layers are done, and the loss fell",
            run={"loss": lambda s: 2.3 if s < 30 else 0.01},
            variable={"gradient_norm": lambda s: [1 if s < 40 else 0, 1, 1]},
            steps=900,
        ),
        _case(
            "dead units stop the gradient, and have their own rule",
            run=_STAYS,
            variable=_flow(0, 0, 1),
            activation={"dead_fraction": lambda s: [0.2, NOT_MEASURED if s < 16 else 1.0]},
            steps=300,
        ),
        _case(
            "two networks that take turns",
            run=_STAYS,
            variable={"gradient_norm": lambda s: [1 if s % 2 else NOT_MEASURED, 1, 1]},
            facts=_FACTS,
            steps=300,
        ),
        _case(
            "a loop of one's own with two networks that begins with the other one",
            run=_STAYS,
            variable=_flow(NOT_MEASURED, NOT_MEASURED, 1),
            facts={"optimizer": "Adam, Adam"},
            steps=300,
        ),
        _case(
            "gradients that are accumulated",
            run=_STAYS,
            variable=_flow(1, 1, 1, ratio=(0, 0, 0.001)),
            facts={"gradient_accumulation": 10},
            steps=300,
        ),
        _case(
            "a learning rate of 0 moves nothing",
            run={**_STAYS, "learning_rate": lambda s: 0.0},
            variable=_flow(1, 1, 1, ratio=(0, 0, 0)),
            steps=300,
        ),
        _case(
            "an output that is given no loss",
            run=_LEARNS,
            variable=_flow(1, 1, NOT_MEASURED, ratio=(0.002, 0.002, NOT_MEASURED)),
            facts={"loss": "mean_squared_error", "outputs": [{"loss": ""}]},
        ),
        case(
            "sequences of one step",
            rows={"variable": (kernel("lstm/kernel"), kernel("lstm/recurrent_kernel"))},
            run=_LEARNS,
            variable=_flow(1, 0),
        ),
        _case(
            "a margin that is kept from the start on",
            run={"loss": lambda s: 0.0, "learning_rate": lambda s: 1e-3},
            variable=_flow(0, 0, 0),
        ),
        case("a loss alone", run={"loss": lambda s: 2.3}, steps=300),
        case(
            "weights that a step changes by itself",
            run={"loss": lambda s: 2.3 * 0.99**s},
            facts={"optimizer": "SGD", "keras": "3.4"},
            steps=300,
        ),
        _case("a short run", _STAYS, _flow(0, 0, 1), steps=8),
    ),
    sick=(
        _case(
            "the gradient stops in front of the last layer",
            run=_LEARNS,
            variable=_flow(0, 0, 1),
            activation={"dead_fraction": lambda s: [0.2, 0.1]},
            **found("warning", 24, "dense/kernel", "dense_1/kernel"),
        ),
        case(
            "no weight is trainable",
            run={"loss": lambda s: 2.3},
            facts={"optimizer": "Adam", "parameters": 8970, "weight_types": ""},
            **found("error", 0),
        ),
        case(
            "gradients that are not applied",
            run={"loss": lambda s: 2.3 + 0.1 * math.sin(s), "learning_rate": lambda s: 1e-3},
            facts={"optimizer": "Adam", "keras": "3.4"},
            **found("error", 0),
        ),
        _case(
            "a loss that counts errors",
            run={"loss": lambda s: 0.9, "learning_rate": lambda s: 1e-3},
            variable=_flow(0, 0, 0),
            activation={"dead_fraction": lambda s: [0.2, 0.1]},
            facts={"loss": "error_rate", "optimizer": "Adam"},
            **found("error", 0),
        ),
        _case(
            "an optimizer that is given the last layer only",
            run=_LEARNS,
            variable=_flow(
                NOT_MEASURED, NOT_MEASURED, 1, ratio=(NOT_MEASURED, NOT_MEASURED, 0.002)
            ),
            facts={"optimizer": "Adam"},
            **found("warning", 48, "dense/kernel", "dense_1/kernel"),
        ),
        case(
            "batches of one sample, which are normalised",
            rows={**_ROWS, "feature": features(1)},
            run=_STAYS,
            variable=_flow(0, 0, 1),
            feature=samples(0, 1, -1, 1, lambda s: s + 1),
            facts={"batch_norm_momentum": 0.99},
            **found("warning", 24, "dense/kernel", "dense_1/kernel"),
        ),
        _case(
            "a layer whose output is not used",
            run=_LEARNS,
            variable=_flow(1, NOT_MEASURED, 1, ratio=(0.002, NOT_MEASURED, 0.002)),
            facts=_FACTS,
            **found("warning", 24, "dense_1/kernel"),
        ),
        case(
            "rounding lets nothing through, and only the last bias learns",
            rows={"variable": (kernel("dense/kernel"), kernel("out/kernel"), _BIAS)},
            run=_STAYS,
            variable=_flow(NOT_MEASURED, 0, 1),
            facts=_FACTS,
            **found("warning", 24, "dense/kernel"),
        ),
        _case(
            "weights that round each change away",
            run=_STAYS,
            variable=_flow(0.1, 0.1, 1, ratio=(0, 0.002, 0.002)),
            **found("warning", 24, "dense/kernel"),
        ),
        _case(
            "it stops in the middle of the training",
            run=_STAYS,
            variable={"gradient_norm": lambda s: [1 if s < 20 else 0, 1, 1]},
            steps=1000,
            **found("warning", 371, "dense/kernel"),
        ),
    ),
)
