"""Describes a Keras model in the user's own names: variables, layers, facts of the run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.naming import variable_role
from tensorboard_gradhealth.types import Row

NORMALIZERS = (
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
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


def variable_rows(model: keras.Model) -> dict[int, Row]:
    """Returns a row for each trainable variable, in network order.

    The keys are `id`s of the `tf.Variable`s behind the Keras variables, which is what an
    optimizer hands to `update_step`.
    """
    variables = list(model.trainable_variables)
    names = unique(short_path(model, variable.path) for variable in variables)
    return {
        id(raw_variable(variable)): Row(
            name=name,
            layer=name.rpartition("/")[0],
            role=variable_role(variable.path, len(variable.shape)),
            size=int(tf.TensorShape(variable.shape).num_elements() or 0),
        )
        for variable, name in zip(variables, names, strict=True)
    }


def raw_variable(variable: Any) -> Any:
    """Returns the `tf.Variable` behind a Keras variable, or the argument itself."""
    return variable.value if isinstance(variable, keras.Variable) else variable


class LayerNames:
    """Names layers of `model`, each when it is first asked for: a layer has no path until built."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._names: dict[int, str] = {}
        self._taken: Counter[str] = Counter()

    def __getitem__(self, layer: keras.layers.Layer) -> str:
        if id(layer) not in self._names:
            name = short_path(self._model, layer.path or layer.name)
            self._taken[name] += 1
            self._names[id(layer)] = numbered(name, self._taken[name])
        return self._names[id(layer)]


def inner_layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yields every layer inside `layer`, nested ones included, each once, in network order."""
    seen: set[int] = set()

    def walk(parent: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
        for child in _children(parent):
            if id(child) not in seen:
                seen.add(id(child))
                yield child
                yield from walk(child)

    return walk(layer)


def output_layers(model: keras.Model) -> set[int]:
    """Returns the `id`s of the layers whose results `model` returns.

    In a subclassed model that is taken to be the last layer, since its call is not a graph.
    """
    outputs = getattr(model, "outputs", None)
    if not outputs:
        layers = list(inner_layers(model))
        return {id(layers[-1])} if layers else set()
    producers = [tensor._keras_history.operation for tensor in keras.tree.flatten(outputs)]
    nested = [output_layers(layer) for layer in producers if isinstance(layer, keras.Model)]
    return {id(layer) for layer in producers}.union(*nested)


def optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Returns every optimizer that `model` holds; one that scales the loss by the one inside it."""
    held = [model.optimizer, *vars(model).values()]
    found = {id(item): item for item in held if isinstance(item, keras.optimizers.Optimizer)}
    inner = [getattr(item, "inner_optimizer", item) for item in found.values()]
    return list({id(item): item for item in inner}.values())


def facts(model: keras.Model) -> dict[str, Any]:
    """Returns what is known of the run before its first step, as JSON values."""
    return {
        "model": model.name,
        "optimizer": ", ".join(type(item).__name__ for item in optimizers(model)),
        "loss": loss_name(model),
        "parameters": int(model.count_params()) if model.built else 0,
        "jit_compile": bool(model.jit_compile),
        "steps_per_execution": int(model.steps_per_execution),
        "loss_scaled": hasattr(model.optimizer, "inner_optimizer"),
        "input_normalised": _normalises_first(model),
        "output_activation": _output_activation(model),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }


def loss_name(model: keras.Model) -> str:
    """Returns the snake_case name of the model's loss, "" if it has none or several."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, str):
        return loss
    if isinstance(loss, keras.losses.Loss):
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(loss).__name__).lower()
    return str(getattr(loss, "__name__", ""))


def function_name(function: Any) -> str:
    """Returns the name of an activation function for people."""
    return str(getattr(function, "__name__", None) or getattr(function, "name", "") or "custom")


def short_path(model: keras.Model, path: str) -> str:
    """Drops the model's own name from the front of a Keras path."""
    return path.removeprefix(f"{model.name}/")


def unique(names: Iterable[str]) -> list[str]:
    """Numbers repeated names: `a`, `a#2`, `a#3`."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(numbered(name, seen[name]))
    return result


def numbered(name: str, nth: int) -> str:
    """Returns the name of the nth thing called `name`, counted from 1."""
    return name if nth == 1 else f"{name}#{nth}"


def _children(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    if isinstance(layer, keras.Sequential):
        return list(layer.layers)
    return list(layer._flatten_layers(include_self=False, recursive=False))


def _normalises_first(model: keras.Model) -> bool:
    for layer in inner_layers(model):
        if not isinstance(layer, _SHAPE_ONLY):
            return isinstance(layer, NORMALIZERS)
    return False


def _output_activation(model: keras.Model) -> str:
    layers = list(inner_layers(model))
    activation = getattr(layers[-1], "activation", None) if layers else None
    return function_name(activation) if activation is not None else ""
