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

import dataclasses
import math
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, features, hidden, kernel
from tensorboard_gradhealth.rules._support import likely_first, loss_drop, recent_loss_drop
from tensorboard_gradhealth.rules._view import Bools, Floats, View
from tensorboard_gradhealth.rules._wording import title
from tensorboard_gradhealth.types import NOT_MEASURED, Cause, Evidence, Fix, Row

_LOST = 0.95  # Share of a hidden layer that is dead or saturated so that it stops a gradient.


@dataclasses.dataclass(frozen=True, slots=True)
class _Still:
    """A way to stand still, and the rows that do; `expected` where it can be meant."""

    rows: Bools
    title: str
    label: str
    signal: str
    cause: str
    support: str
    expected: bool = False


def check(view: View) -> Sign | None:
    """A sign while a kernel stands still and others learn, or while nothing can."""
    if (nothing := _nothing_to_train(view) or _never_called(view)) is not None:
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
        return _no_gradient_at_all(view, past)
    for still in (_no_path(view, past), _no_gradient(view, past), _no_change(view, past)):
        if still is not None and (still.rows & kernels).any():
            return _sign(view, still, still.rows & kernels)
    return None


def _nothing_to_train(view: View) -> Sign | None:
    """A sign if the model that an optimizer is to train has weights, and none may change."""
    weights = view.facts.get("parameters", 0)
    if not (weights and view.facts.get("optimizer")) or view.facts.get("weight_types") != "":
        return None
    if view.has("gradient_norm") and view.rows("gradient_norm"):
        return None
    return _standstill(
        view,
        f"None of the {weights} weights of the model is trainable",
        Evidence("trainable weights", 0, 1),
        Cause("`trainable = False` was set on the whole model", "likely", "the model: all frozen"),
        Fix(
            "Freeze only the layers that are to stay, before `compile`.",
            "model.trainable = True\nfor layer in model.layers[:-1]:\n    layer.trainable = False",
        ),
        onset=0,
    )


def _never_called(view: View) -> Sign | None:
    """A sign if no step asked the optimizer to change weights, and the loss has not fallen."""
    watched = view.facts.get("optimizer") and view.facts.get("keras")
    if not watched or view.record.step < view.limits["called"]:
        return None
    if any(view.has(signal) for signal in ("gradient_norm", "update_ratio")):
        return None
    if not loss_drop(view) < view.limits["progress"] or "loss" not in view.record.signals:
        return None
    return _standstill(
        view,
        "The optimizer is never asked to change a weight",
        Evidence("steps of the optimizer", 0, 1, step=view.record.step),
        Cause("the training step computes gradients and does not apply them"),
        Fix(
            "Apply the gradients.",
            "optimizer.apply(gradients, model.trainable_variables)",
        ),
        onset=0,
    )


def _no_gradient_at_all(view: View, past: Floats) -> Sign | None:
    """A sign if the gradient of every weight was exactly 0 at every step."""
    early = view.early("gradient_norm", field="max")
    known = np.isfinite(early).any(axis=0)
    if not known.any() or (early > 0).any() or not (past[:, known] == 0).all():
        return None
    if not view.scalar("learning_rate", "min") > 0 or view.scalar("loss") == 0:
        return None  # A loss of 0 has nothing to teach.
    step = view.record.step
    return _standstill(
        view,
        "No weight gets a gradient: the loss does not say how to change any",
        Evidence("largest gradient norm", 0.0, 0.0, "", "gradient_norm", step),
        Cause(
            "the loss counts, rounds or compares (argmax, a metric), or leaves the outputs out",
            "likely",
            "gradient_norm: exactly 0 for every weight at every step",
        ),
        Fix(
            "Train with a loss that can be differentiated, and watch the other as a metric.",
            'model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])',
        ),
        onset=0,
    )


def _standstill(
    view: View, head: str, evidence: Evidence, cause: Cause, fix: Fix, onset: int
) -> Sign:
    return Sign(
        severity="error",
        title=head,
        onset=onset,
        evidence=(evidence,),
        causes=(cause,),
        fixes=(fix,),
        harmless="Nothing is to be trained: the model is only looked at.",
        check="update_ratio of some kernel is above 0 at the first steps.",
    )


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


def _no_gradient(view: View, past: Floats) -> _Still | None:
    zero = (past == 0).all(axis=0)
    early = view.early("gradient_norm", field="max")
    always = zero & (early == 0).all(axis=0)
    # One that had a gradient may have done its work.
    learns = loss_drop(view) > view.limits["learned"]
    stuck = not learns and recent_loss_drop(view) < view.limits["progress"]
    rows = zero if stuck else always
    return _Still(
        np.asarray(rows),
        "No gradient reaches {}",
        "largest gradient norm",
        "gradient_norm",
        "what follows the layer has a derivative of 0: argmax, rounding, stop_gradient, or "
        "attention over one element",
        "gradient_norm: exactly 0, while other weights have one",
    )


def _no_path(view: View, past: Floats) -> _Still | None:
    own_loop = not view.facts.get("loss")
    if own_loop and (view.record.step < view.limits["called"] or _several(view)):
        return None  # A step of one's own may leave variables out, and take them up later.
    never = np.isnan(past).all(axis=0) & np.isnan(view.early("gradient_norm")).all(axis=0)
    never &= ~view.measured("gradient_norm")
    if own_loop:
        return _Still(
            np.asarray(never),
            "The optimizer is never given {}",
            "gradients that were measured",
            "gradient_norm",
            "the optimizer is given some of the trainable variables only",
            "gradient_norm: never measured, while other weights have one",
        )
    return _Still(
        np.asarray(never),
        "No path leads from {} to the loss",
        "gradients that were measured",
        "gradient_norm",
        "the output of the layer is not used, or not by differentiable operations",
        "gradient_norm: never measured, while other weights have one",
        expected=any(not head["loss"] for head in view.facts.get("outputs", ())),
    )


def _no_change(view: View, past: Floats) -> _Still | None:
    if not (view.has("update_ratio") and view.scalar("learning_rate", "min") > 0):
        return None
    # Accumulated gradients are applied at steps that sampling may never meet.
    if view.facts.get("gradient_accumulation", 1) != 1 or view.scalar("skipped_steps") > 0:
        return None
    change = view.past("update_ratio", field="max")
    if len(change) < view.limits["records"] or change.shape[-1] != past.shape[-1]:
        return None
    moves = view.where("update_ratio", "kernel") & (change > 0).any(axis=0)
    still = (change == 0).all(axis=0) & (past > 0).all(axis=0)
    return _Still(
        np.asarray(still & moves.any()),
        "{} gets a gradient and does not move",
        "largest update ratio",
        "update_ratio",
        "the optimizer does not change it, or its precision rounds the change away",
        "update_ratio: exactly 0, while other kernels move",
    )


def _several(view: View) -> bool:
    """Whether several optimizers, or none that is known, share the variables of the loop."""
    name = str(view.facts.get("optimizer", ""))
    return not name or "," in name


def _alone_in_batch(view: View) -> tuple[Cause, ...]:
    """Batch normalisation of one sample, from which it subtracts the mean: the sample itself."""
    if not (view.facts.get("batch_norm_momentum") and view.has("input_features")):
        return ()
    count = view.early("input_features", 0, "count")
    if not len(count) or np.nanmax(count[0], initial=0) != 1:
        return ()
    text = "batch normalisation of a single sample leaves nothing of it"
    return (Cause(text, "likely", "input_features: one sample in the first batch"),)


def _sign(view: View, still: _Still, rows: Bools) -> Sign:
    index = np.flatnonzero(rows)
    names = [view.rows("gradient_norm")[i].name for i in index]
    head = still.title
    if len(names) > 1:
        head = head.replace("gets", "get").replace("does", "do")
    step = view.record.step
    recurrent = all(name.endswith("recurrent_kernel") for name in names)
    evidence = Evidence(still.label, 0.0, 0.0, "", still.signal, step, names[0])
    alone = _alone_in_batch(view) if still.label == "largest gradient norm" else ()
    batch = Fix("Train on batches of several samples.", "model.fit(x, y, batch_size=32)")
    return Sign(
        severity="info" if recurrent or still.expected else "warning",
        title=title(head, names[0], len(names) - 1),
        layers=tuple(names),
        evidence=(evidence, *_others(view, index)),
        causes=likely_first(
            *(alone or (Cause(still.cause, "likely", still.support),)),
            Cause("the layer is not meant to be trained"),
        ),
        fixes=(
            *((batch,) if alone else ()),
            Fix(
                "See whether the output of the layer changes the loss, and how.",
                "with tf.GradientTape() as tape:\n"
                "    loss = model.compute_loss(x, y, model(x, training=True))\n"
                "print(tape.gradient(loss, model.trainable_variables))",
            ),
            Fix("If it is to stay as it is, say so.", "layer.trainable = False"),
        ),
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

RULE = Rule(
    name="frozen_layer",
    code="GH504",
    group="gradient",
    limits={
        "first_judged": 24,
        "records": 20,
        "learned": 0.5,
        "progress": 0.05,
        "called": 48,
    },
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
        case("all get some", rows=_ROWS, run=_LEARNS, variable=_flow(1e-9, 0.1, 1), facts=_FACTS),
        case(
            "a branch that starts from zero",
            rows=_ROWS,
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
        case(
            "all is learned: no gradient anywhere",
            rows=_ROWS,
            run={"loss": lambda s: 0.9 if s < 10 else 0.3, "learning_rate": lambda s: 1e-3},
            variable={"gradient_norm": lambda s: [1, 1, 1] if s < 10 else [0, 0, 0]},
            steps=300,
        ),
        case(
            "the first layers are done, and the loss fell",
            rows=_ROWS,
            run={"loss": lambda s: 2.3 if s < 30 else 0.01},
            variable={"gradient_norm": lambda s: [1 if s < 40 else 0, 1, 1]},
            steps=900,
        ),
        case(
            "dead units stop the gradient, and have their own rule",
            rows=_ROWS,
            run=_STAYS,
            variable=_flow(0, 0, 1),
            activation={"dead_fraction": lambda s: [0.2, NOT_MEASURED if s < 16 else 1.0]},
            steps=300,
        ),
        case(
            "two networks that take turns",
            rows=_ROWS,
            run=_STAYS,
            variable={"gradient_norm": lambda s: [1 if s % 2 else NOT_MEASURED, 1, 1]},
            facts=_FACTS,
            steps=300,
        ),
        case(
            "a loop of one's own with two networks that begins with the other one",
            rows=_ROWS,
            run=_STAYS,
            variable=_flow(NOT_MEASURED, NOT_MEASURED, 1),
            facts={"optimizer": "Adam, Adam"},
            steps=300,
        ),
        case(
            "gradients that are accumulated",
            rows=_ROWS,
            run=_STAYS,
            variable=_flow(1, 1, 1, ratio=(0, 0, 0.001)),
            facts={"gradient_accumulation": 10},
            steps=300,
        ),
        case(
            "a learning rate of 0 moves nothing",
            rows=_ROWS,
            run={**_STAYS, "learning_rate": lambda s: 0.0},
            variable=_flow(1, 1, 1, ratio=(0, 0, 0)),
            steps=300,
        ),
        case(
            "an output that is given no loss",
            rows=_ROWS,
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
        case(
            "a margin that is kept from the start on",
            rows=_ROWS,
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
        case("a short run", rows=_ROWS, run=_STAYS, variable=_flow(0, 0, 1), steps=8),
    ),
    sick=(
        case(
            "the gradient stops in front of the last layer",
            rows=_ROWS,
            run=_LEARNS,
            variable=_flow(0, 0, 1),
            activation={"dead_fraction": lambda s: [0.2, 0.1]},
            severity="warning",
            layers=("dense/kernel", "dense_1/kernel"),
            onset=24,
        ),
        case(
            "no weight is trainable",
            run={"loss": lambda s: 2.3},
            facts={"optimizer": "Adam", "parameters": 8970, "weight_types": ""},
            severity="error",
            onset=0,
        ),
        case(
            "gradients that are not applied",
            run={"loss": lambda s: 2.3 + 0.1 * math.sin(s), "learning_rate": lambda s: 1e-3},
            facts={"optimizer": "Adam", "keras": "3.4"},
            severity="error",
            onset=0,
        ),
        case(
            "a loss that counts errors",
            rows=_ROWS,
            run={"loss": lambda s: 0.9, "learning_rate": lambda s: 1e-3},
            variable=_flow(0, 0, 0),
            activation={"dead_fraction": lambda s: [0.2, 0.1]},
            facts={"loss": "error_rate", "optimizer": "Adam"},
            severity="error",
            onset=0,
        ),
        case(
            "an optimizer that is given the last layer only",
            rows=_ROWS,
            run=_LEARNS,
            variable=_flow(
                NOT_MEASURED, NOT_MEASURED, 1, ratio=(NOT_MEASURED, NOT_MEASURED, 0.002)
            ),
            facts={"optimizer": "Adam"},
            severity="warning",
            layers=("dense/kernel", "dense_1/kernel"),
            onset=48,
        ),
        case(
            "batches of one sample, which are normalised",
            rows={**_ROWS, "feature": features(1)},
            run=_STAYS,
            variable=_flow(0, 0, 1),
            feature={
                "input_features": lambda s: {
                    "count": s + 1,
                    "mean": 0,
                    "std": 1,
                    "min": -1,
                    "max": 1,
                    "nonfinite": 0,
                }
            },
            facts={"batch_norm_momentum": 0.99},
            severity="warning",
            layers=("dense/kernel", "dense_1/kernel"),
            onset=24,
        ),
        case(
            "a layer whose output is not used",
            rows=_ROWS,
            run=_LEARNS,
            variable=_flow(1, NOT_MEASURED, 1, ratio=(0.002, NOT_MEASURED, 0.002)),
            facts=_FACTS,
            severity="warning",
            layers=("dense_1/kernel",),
            onset=24,
        ),
        case(
            "rounding lets nothing through, and only the last bias learns",
            rows={"variable": (kernel("dense/kernel"), kernel("out/kernel"), _BIAS)},
            run=_STAYS,
            variable=_flow(NOT_MEASURED, 0, 1),
            facts=_FACTS,
            severity="warning",
            layers=("dense/kernel",),
            onset=24,
        ),
        case(
            "weights that round each change away",
            rows=_ROWS,
            run=_STAYS,
            variable=_flow(0.1, 0.1, 1, ratio=(0, 0.002, 0.002)),
            severity="warning",
            layers=("dense/kernel",),
            onset=24,
        ),
        case(
            "it stops in the middle of the training",
            rows=_ROWS,
            run=_STAYS,
            variable={"gradient_norm": lambda s: [1 if s < 20 else 0, 1, 1]},
            steps=1000,
            severity="warning",
            layers=("dense/kernel",),
            onset=371,
        ),
    ),
)
