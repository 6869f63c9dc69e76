"""What is known of a Keras model before its first step: JSON values that rules and people read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.naming import unique
from tensorboard_gradhealth.training.model.keras_model import (
    NORMALIZERS,
    function_name,
    inner_layers,
    loss_name,
    name_of_loss,
    optimizers,
    variable_rows,
)

_SHAPE_ONLY = (
    keras.layers.InputLayer,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Dropout,
    keras.layers.GaussianNoise,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
)
_FUNCTION_ONLY = (keras.layers.Activation, keras.layers.Softmax, keras.layers.ReLU)
_ALTERING = {
    keras.layers.BatchNormalization: "batch_normalization",
    keras.layers.Dropout: "dropout",
}
_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "k_l_divergence": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
}


def facts(model: keras.Model) -> dict[str, Any]:
    """Returns what is known of a compiled model before its first step."""
    used = optimizers(model)
    return {
        **architecture(model),
        "optimizer": ", ".join(type(item).__name__ for item in used),
        "momentum": max((_momentum(item) for item in used), default=0.0),
        "clipping": _clipping(used),
        "gradient_accumulation": max((_accumulated(item) for item in used), default=1),
        "loss": loss_name(model),
        "outputs": outputs(model),
        "jit_compile": bool(model.jit_compile),
        "steps_per_execution": int(model.steps_per_execution),
        "replicas": int(model.distribute_strategy.num_replicas_in_sync),
        "loss_scaled": hasattr(model.optimizer, "inner_optimizer"),
    }


def architecture(model: keras.Model) -> dict[str, Any]:
    """Returns what is known of any model."""
    return {
        "model": model.name,
        "parameters": int(model.count_params()) if model.built else 0,
        "weight_types": ", ".join(sorted({v.dtype for v in model.trainable_variables})),
        "input_normalised": _normalises_first(model),
        "batch_norm_momentum": _batch_norm_momentum(model),
        "output_activation": _last_activation(model),
        "kernel_fans": kernel_fans(model) if model.built else {},
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }


def outputs(model: keras.Model) -> list[dict[str, Any]]:
    """Returns how each output of a compiled model ends, and the loss that it is given to.

    Each has `layer`, that it comes out of; `units`, the length of its last axis, 0 if unknown;
    `activation`, "" if unknown, "batch_softmax" if it shares 1 out among samples; `before`, the
    function that this one is applied to directly, "" if that is none; `behind`, what changes the
    outputs of the activation again ("dropout" or "batch_normalization"), "" if nothing does;
    `loss`, "" if it has none; `from_logits`, `label_smoothing` and `reduction` of the loss.
    """
    heads = _graph_heads(model) if getattr(model, "outputs", None) else _last_layer(model)
    losses = _losses(getattr(model, "loss", None), list(heads))
    return [
        {
            **head,
            "loss": _canonical(loss),
            "from_logits": bool(_option(loss, "from_logits")),
            "label_smoothing": float(_option(loss, "label_smoothing") or 0.0),
            "reduction": str(getattr(loss, "reduction", None) or "sum_over_batch_size"),
        }
        for head, loss in zip(heads.values(), losses, strict=True)
    ]


def kernel_fans(model: keras.Model) -> dict[str, list[int]]:
    """Returns `[inputs of a unit, units]` of each trainable kernel, by the name of its row.

    A kernel of several axes is taken to have its units on the last one, which is exact for dense,
    convolutional and recurrent layers, but counts the inputs of an attention head once per head.
    """
    rows = variable_rows(model).values()
    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    return {
        row.name: _fans(row.name, shape)
        for row, shape in zip(rows, shapes, strict=True)
        if row.role == "kernel"
    }


def _fans(name: str, shape: Sequence[int]) -> list[int]:
    if name.endswith("depthwise_kernel"):  # one filter for each channel
        return [math.prod(shape[:-2]), shape[-2] * shape[-1]]
    return [math.prod(shape[:-1]), shape[-1]]


def _graph_heads(model: keras.Model) -> dict[str, dict[str, Any]]:
    """The ends of a model that is a graph, by the names that losses are shared out by."""
    tensors = keras.tree.flatten(model.outputs)
    structure: Any = getattr(model, "_outputs_struct", None)
    named = isinstance(structure, dict) and len(structure) == len(tensors)
    layers = [tensor._keras_history.operation.name for tensor in tensors]
    keys = sorted(structure) if named else unique(layers)
    return {
        key: {"layer": layer, "units": tensor.shape[-1] or 0, **_functions(tensor)}
        for key, layer, tensor in zip(keys, layers, tensors, strict=True)
    }


def _functions(tensor: Any) -> dict[str, str]:
    """Names of the function that a symbolic tensor comes out of, of the one before, what is behind.

    Behind a dropout the function's range is what it was; behind a normalisation it can be any.
    """
    last = tensor._keras_history.operation
    behind = "" if getattr(last, "rate", 1) == 0 else _ALTERING.get(type(last), "")
    layer = _maker(_input(last) if behind else tensor)
    function = _activation(layer)
    if behind == "batch_normalization":
        return {"activation": "", "before": function, "behind": behind}
    before = _activation(_maker(_input(layer))) if isinstance(layer, _FUNCTION_ONLY) else ""
    before = "" if before == "linear" else before
    return {"activation": function, "before": before, "behind": behind}


def _maker(tensor: Any) -> Any:
    """The layer that a symbolic tensor comes out of, passing over those that change its shape."""
    history = tensor._keras_history
    layer = history.operation
    if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        return _maker(keras.tree.flatten(layer.outputs)[history.tensor_index])
    passes = isinstance(layer, _SHAPE_ONLY) and not isinstance(layer, keras.layers.InputLayer)
    return _maker(_input(layer)) if passes else layer


def _input(layer: Any) -> Any:
    return keras.tree.flatten(layer.input)[0]


def _last_layer(model: keras.Model) -> dict[str, dict[str, Any]]:
    """The last layer of a model without a graph; what its `call` adds to that is not known."""
    layers = list(inner_layers(model))
    if not layers:
        return {}
    last = layers[-1]
    # A linear layer may still have a softmax behind it, written out in `call`.
    activation = "" if _activation(last) == "linear" else _activation(last)
    units = int(getattr(last, "units", None) or getattr(last, "filters", None) or 0)
    head = {
        "layer": last.name,
        "units": units,
        "activation": activation,
        "before": "",
        "behind": "",
    }
    return {last.name: head}


def _activation(layer: Any) -> str:
    if isinstance(layer, keras.layers.Softmax):
        return {-1: "softmax", 0: "batch_softmax"}.get(layer.axis, "")
    if isinstance(layer, keras.layers.ReLU):
        return "relu"
    function = getattr(layer, "activation", None)
    return function_name(function) if callable(function) else ""


def _losses(loss: Any, names: Sequence[str]) -> list[Any]:
    """One loss per output, as Keras shares them out."""
    if isinstance(loss, Mapping):
        return [loss.get(name) for name in names]
    if isinstance(loss, (list, tuple)):
        return [*loss, *[None] * len(names)][: len(names)]
    return [loss] * len(names)


def _canonical(loss: Any) -> str:
    name = name_of_loss(loss).lower()
    return _ALIASES.get(name, name)


def _option(loss: Any, name: str) -> Any:
    """An option of a loss object, which keeps it itself or for the function that it wraps."""
    kept = getattr(loss, "_fn_kwargs", None) or {}
    return getattr(loss, name, None) if getattr(loss, name, None) is not None else kept.get(name)


def _batch_norm_momentum(model: keras.Model) -> float:
    """How much the averages of batch normalisation keep of themselves per step; 0 without any."""
    layers = inner_layers(model)
    averaging = (x for x in layers if isinstance(x, keras.layers.BatchNormalization))
    return max((float(layer.momentum) for layer in averaging if layer.trainable), default=0.0)


def _momentum(optimizer: Any) -> float:
    """How much of each step is carried into the next, where steps add up; else 0."""
    adds_up = isinstance(optimizer, (keras.optimizers.SGD, keras.optimizers.RMSprop))
    return float(optimizer.momentum or 0) if adds_up else 0.0


def _clipping(used: Sequence[Any]) -> dict[str, float]:
    """The limits of gradient clipping, by the name of Keras' option."""
    names = ("clipnorm", "global_clipnorm", "clipvalue")
    given = ((name, getattr(item, name, None)) for item in used for name in names)
    return {name: float(limit) for name, limit in given if limit}


def _accumulated(optimizer: Any) -> int:
    return int(optimizer.gradient_accumulation_steps or 1)


def _normalises_first(model: keras.Model) -> bool:
    for layer in inner_layers(model):
        if not isinstance(layer, _SHAPE_ONLY):
            return isinstance(layer, NORMALIZERS)
    return False


def _last_activation(model: keras.Model) -> str:
    layers = list(inner_layers(model))
    activation = getattr(layers[-1], "activation", None) if layers else None
    return function_name(activation) if activation is not None else ""
