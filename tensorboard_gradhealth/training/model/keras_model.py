"""Describes a Keras model in the user's own names: variables, layers, facts of the run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers import Optimizer

from tensorboard_gradhealth.naming import numbered, unique, variable_role
from tensorboard_gradhealth.training.model import distribution
from tensorboard_gradhealth.types import Row

Tensor = Any

NORMALIZERS = (
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)


def variable_rows(model: keras.Model, outside: Sequence[Any] = ()) -> dict[int, Row]:
    """Returns a row for each trainable variable, in network order, by `variable_key`.

    Args:
      model: Its trainable variables come first.
      outside: Variables that are trained with it but are not its own.
    """
    variables = [*model.trainable_variables, *outside]
    names = unique(short_path(model, _path(variable)) for variable in variables)
    return {
        variable_key(variable): Row(
            name=name,
            layer=name.rpartition("/")[0],
            role=variable_role(_path(variable), len(variable.shape)),
            size=int(tf.TensorShape(variable.shape).num_elements() or 0),
        )
        for variable, name in zip(variables, names, strict=True)
    }


def described(model: keras.Model) -> list[tuple[Row, Any]]:
    """Returns the trainable variables with their rows."""
    rows = variable_rows(model)
    return [(rows[variable_key(variable)], variable) for variable in model.trainable_variables]


def seeds(model: keras.Model) -> list[Any]:
    """Returns the states of the random generators in a model, which dropout draws from."""
    states = [variable for variable in model.variables if "seed_generator_state" in variable.path]
    return list({id(state): state for state in states}.values())


def variable_key(variable: Any) -> int:
    """Returns what a Keras variable, its `tf.Variable` and the copies of that have in common."""
    raw = variable.value if isinstance(variable, keras.Variable) else variable
    return id(distribution.container(raw))


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


def optimizers(model: keras.Model) -> list[Optimizer]:
    """Returns every optimizer that `model` holds; one that scales the loss by the one inside it."""
    inner = [getattr(item, "inner_optimizer", item) for item in _held_optimizers(model)]
    return list({id(item): item for item in inner}.values())


def loss_scalers(model: keras.Model) -> list[Optimizer]:
    """Returns those that scale the loss dynamically and skip a step where it overflowed."""
    return [item for item in _held_optimizers(model) if hasattr(item, "inner_optimizer")]


def decay(optimizer: Optimizer, variable: Any, learning_rate: Tensor) -> Tensor | None:
    """Returns the share of itself that a variable loses to decay in each step; `None` if none."""
    if optimizer.weight_decay is None or not optimizer._use_weight_decay(variable):
        return None
    rate = tf.cast(learning_rate, variable.dtype)
    return rate * tf.cast(optimizer.weight_decay, variable.dtype)


def steps_counted(optimizer: Optimizer) -> int:
    """Returns how many steps an optimizer has been in, those that only accumulate included."""
    steps: Any = getattr(optimizer, "_iterations", optimizer.iterations)
    return int(steps.numpy())


def changes_gradients(optimizer: Optimizer) -> bool:
    """Whether an optimizer clips or accumulates gradients."""
    clips = optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue
    return bool(clips or optimizer.gradient_accumulation_steps)


def overwrites_with_average(optimizer: Optimizer) -> bool:
    """Whether an optimizer at times replaces the weights by their moving average."""
    return bool(optimizer.use_ema and optimizer.ema_overwrite_frequency)


def overwrites_now(optimizer: Optimizer) -> Tensor:
    """Returns a bool `[]`: whether it does so in the step under way."""
    if not overwrites_with_average(optimizer):
        return tf.constant(False)
    steps = tf.convert_to_tensor(optimizer.iterations) + 1
    return tf.equal(steps % optimizer.ema_overwrite_frequency, 0)


def loss_name(model: keras.Model) -> str:
    """Returns the snake_case name of the model's loss, "" if it has none or several."""
    return name_of_loss(getattr(model, "loss", None))


def name_of_loss(loss: Any) -> str:
    """Returns the snake_case name of one loss, as a name, an object or a function."""
    if isinstance(loss, str):
        return loss
    if isinstance(loss, keras.losses.Loss):
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(loss).__name__).lower()
    return str(getattr(loss, "__name__", ""))


def takes_logits(model: keras.Model) -> bool:
    """Whether the model's loss takes outputs for logits."""
    loss = getattr(model, "loss", None)
    settings = getattr(loss, "_fn_kwargs", {})
    return bool(settings.get("from_logits", getattr(loss, "from_logits", False)))


def function_name(function: Any) -> str:
    """Returns the name of an activation function for people."""
    return str(getattr(function, "__name__", None) or getattr(function, "name", "") or "custom")


def short_path(model: keras.Model, path: str) -> str:
    """Drops the model's own name from the front of a Keras path."""
    return path.removeprefix(f"{model.name}/")


def _held_optimizers(model: keras.Model) -> list[Optimizer]:
    held = [item for value in vars(model).values() for item in _items(value)]
    found = [item for item in (model.optimizer, *held) if isinstance(item, Optimizer)]
    wrapped = {id(getattr(item, "inner_optimizer", None)) for item in found}
    return list({id(item): item for item in found if id(item) not in wrapped}.values())


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _path(variable: Any) -> str:
    return str(getattr(variable, "path", None) or variable.name.removesuffix(":0"))


def _children(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    if isinstance(layer, keras.Sequential):
        return list(layer.layers)
    return list(layer._flatten_layers(include_self=False, recursive=False))
