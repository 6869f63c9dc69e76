"""Which functions a model may end with under which loss: what each gives, what each expects."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from tensorboard_gradhealth.types import Evidence, Severity

REACH = {
    "linear": (-math.inf, math.inf),
    "leaky_relu": (-math.inf, math.inf),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "elu": (-1.0, math.inf),
    "selu": (-1.76, math.inf),
    "gelu": (-0.17, math.inf),
    "silu": (-0.28, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
}
"""Smallest and largest value that a function gives; one that is not here is not judged."""

_CATEGORICAL = (
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy",
)
_BINARY = ("binary_crossentropy", "binary_focal_crossentropy")
_ALTERING = {"batch_normalization": "BatchNormalization", "dropout": "Dropout"}
_TRAINED_ANYWAY = (
    "Keras on TensorFlow computes the loss from the logits behind {} all the same, and training "
    "goes on as it should; predictions, other backends and mixed precision do not."
)
_NEVER = "Never: the outputs are not what the loss takes them for."
_CONFIDENT = 0.99  # A probability that a classifier must be able to give.


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong between an output and its loss. `{}` in the title stands for the layer."""

    severity: Severity
    title: str
    cause: str
    fix: str
    code: str
    evidence: Evidence
    harmless: str = _NEVER
    onset: int | None = None


def fault_of(head: Mapping[str, Any]) -> Fault | None:
    """Judges one output by its function and its loss alone.

    Args:
      head: As in the fact `outputs`: `units`, `activation`, `loss`, `from_logits`, `before` and
        `behind`.
    """
    if head["activation"] == "softmax" and head["units"] == 1:
        return _constant_softmax(head)
    if head["activation"] == "batch_softmax":
        return _shared_by_samples(head)
    if (altered := _altered(head)) is not None:
        return altered
    if head["activation"] not in REACH:
        return None
    if (twice := _twice(head)) is not None:
        return twice
    if head["loss"] in _CATEGORICAL:
        return _categorical(head)
    if head["loss"] in _BINARY:
        return _bounded_logits(head) if head["from_logits"] else _binary(head)
    return _other(head)


def _constant_softmax(head: Mapping[str, Any]) -> Fault:
    return Fault(
        "error",
        "{} is a softmax over one unit, which is always 1",
        "a softmax shares 1 out among its units, and there is only one",
        "Use a sigmoid for two classes, or as many units as there are classes."
        if "crossentropy" in head["loss"]
        else "Leave the activation out.",
        'keras.layers.Dense(1, activation="sigmoid")'
        if "crossentropy" in head["loss"]
        else "keras.layers.Dense(1)",
        Evidence("units that share the softmax", 1, 2),
    )


def _shared_by_samples(head: Mapping[str, Any]) -> Fault:
    return Fault(
        "error",
        "{} is a softmax over the samples of a batch, not over the classes",
        "axis=0 is that of the batch: a sample that is predicted alone gets 1 for every class",
        "Let the classes share it, which is the default.",
        "keras.layers.Softmax()",
        Evidence("axis of the softmax", 0, -1),
    )


def _altered(head: Mapping[str, Any]) -> Fault | None:
    layer, name = _ALTERING.get(head.get("behind", "")), head["activation"] or head.get("before")
    if layer is None or name not in ("softmax", "sigmoid"):
        return None
    # What is normalised may be any number, as logits may.
    logits = head["from_logits"] and layer != "Dropout"
    if logits or head["loss"] not in (*_CATEGORICAL, *_BINARY):
        return None
    return Fault(
        "warning",
        f"{{}} changes the probabilities that {name} gives",
        f"what {layer} makes of probabilities are none, and the loss takes its logarithm",
        f"Leave out the {layer} behind the {name}, or put it in front of the last Dense.",
        f'keras.layers.Dense({head["units"] or "units"}, activation="{name}")  # the last layer',
        Evidence(f"layers behind the {name}", 1, 0),
    )


def _end(which: str, name: str, value: float, limit: float) -> Evidence:
    return Evidence(f"{which} end of what {name} gives", value, limit)


def _categorical(head: Mapping[str, Any]) -> Fault | None:
    if head["units"] == 1:
        return Fault(
            "error",
            f"{{}} has one unit under {head['loss']}",
            "a categorical cross-entropy compares classes, and there is only one output",
            "Use the binary cross-entropy, or as many units as there are classes.",
            'keras.layers.Dense(1, activation="sigmoid")\n'
            'model.compile(optimizer, loss="binary_crossentropy")',
            Evidence("units of the output", 1, 2),
        )
    if head["from_logits"]:
        return _bounded_logits(head)
    if head["activation"] == "softmax":
        return None
    low, high = REACH[head["activation"]]
    if (low, high) == (0, 1):
        return _unshared(head)
    sparse = head["loss"].startswith("sparse")
    # What is positive is divided by its sum, unless the labels are integers; all may be 0, though.
    if low == 0 and head["activation"] not in ("relu", "relu6") and not sparse:
        return None
    return _no_probabilities(head, "warning" if sparse else "error", "softmax")


def _unshared(head: Mapping[str, Any]) -> Fault:
    units, name = head["units"], head["activation"]
    return Fault(
        "warning",
        f"{{}} gives classes that exclude each other a {name} each",
        f"the outputs of a {name} do not add up to 1, as the probabilities of classes do",
        "Let the classes share one softmax.",
        f'keras.layers.Dense({units or "classes"}, activation="softmax")',
        Evidence("sum that the outputs can reach", units or math.inf, 1),
        _TRAINED_ANYWAY.format(f"the {name}"),
    )


def _binary(head: Mapping[str, Any]) -> Fault | None:
    low, high = REACH[head["activation"]]
    if head["activation"] == "softmax":
        return Fault(
            "warning",
            "{} is a softmax under a binary cross-entropy",
            "the classes share 1, while the loss judges each one for itself",
            "Use a sigmoid if several classes can be true at once, else the categorical loss.",
            'model.compile(optimizer, loss="categorical_crossentropy")',
            Evidence("sum of the outputs", 1, 1),
            "Exactly one class is true for each sample, and it trains well enough.",
        )
    if (low, high) == (0, 1):
        return None
    return _no_probabilities(head, "warning", "sigmoid")


def _no_probabilities(head: Mapping[str, Any], severity: Severity, wanted: str) -> Fault:
    name = head["activation"]
    low, high = REACH[name]
    kind = "logits" if name == "linear" else f"{name} outputs"
    edge = _end("lower", name, low, 0) if low < 0 else _end("upper", name, high, 1)
    family = "Binary" if wanted == "sigmoid" else "Categorical"
    family = f"Sparse{family}" if head["loss"].startswith("sparse") else family
    return Fault(
        severity,
        f"{{}} gives {kind} where the loss expects probabilities",
        f"{name} leaves the range from 0 to 1, and the loss clips what does",
        "Tell the loss that it gets logits, and leave the last activation out.",
        f"loss = keras.losses.{family}Crossentropy(from_logits=True)\n"
        "model.compile(optimizer, loss)",
        edge,
    )


def _bounded_logits(head: Mapping[str, Any]) -> Fault | None:
    name, binary = head["activation"], head["loss"] in _BINARY
    reached = _reached(name, head["units"], binary)
    if reached > _CONFIDENT:
        return None
    # A focal loss applies its function to whatever it is given.
    repaired = name == ("sigmoid" if binary else "softmax") and "focal" not in head["loss"]
    return Fault(
        "info" if repaired else "warning",
        f"{{}} applies {name}, and the loss takes its outputs for logits",
        f"with from_logits=True the loss applies its own {'sigmoid' if binary else 'softmax'}",
        "Leave the last activation out, or from_logits=True.",
        f"keras.layers.Dense({head['units'] or 'classes'})  # without an activation",
        Evidence("functions that make probabilities, the one in the loss included", 2, 1)
        if repaired
        else Evidence("highest probability that it can give", reached, _CONFIDENT),
        _TRAINED_ANYWAY.format(f"the {name}") if repaired else _NEVER,
    )


def _twice(head: Mapping[str, Any]) -> Fault | None:
    name, before = head["activation"], head.get("before", "")
    if name not in ("softmax", "sigmoid") or before not in REACH:
        return None
    reached = _reached(before, head["units"], name == "sigmoid")
    if reached > _CONFIDENT:
        return None
    return Fault(
        "warning",
        f"{{}} applies {name} to the result of {before}",
        f"{name} wants logits of any size, and {before} gives values within bounds",
        "Leave out one of the two.",
        f"keras.layers.Dense({head['units'] or 'classes'})  # without an activation",
        Evidence("highest probability that it can give", reached, _CONFIDENT),
    )


def _reached(name: str, classes: int, binary: bool) -> float:
    """Probability that every class can reach if its logit comes out of that function.

    Logits are compared with each other, or with 0 where there are two classes.
    """
    low, high = REACH[name]
    lead = min(high, -low) if binary else high - low
    return 1 / (1 + (1 if binary else max(classes - 1, 1)) * math.exp(-lead))


def _other(head: Mapping[str, Any]) -> Fault | None:
    loss, name = head["loss"], head["activation"]
    low = REACH[name][0]
    if loss in ("poisson", "kl_divergence") and low < 0:
        return Fault(
            "error" if loss == "poisson" else "warning",
            f"{{}} gives negative values under {loss}",
            f"{loss} takes the logarithm of the outputs, and {name} goes below 0",
            "End with a function that stays above 0.",
            f"keras.layers.Dense({head['units'] or 'units'}, "
            f'activation="{"softplus" if loss == "poisson" else "softmax"}")',
            _end("lower", name, low, 0),
        )
    if loss in ("hinge", "squared_hinge") and low >= 0:
        return Fault(
            "warning",
            f"{{}} cannot give the -1 that {loss} asks for",
            f"{loss} wants outputs on both sides of 0, and {name} stays above it",
            "End with a linear unit or with tanh.",
            f'keras.layers.Dense({head["units"] or "units"}, activation="tanh")',
            _end("lower", name, low, -1),
        )
    return None
