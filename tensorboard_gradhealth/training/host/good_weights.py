"""Copies of what a Keras model holds, kept on the host and saved without touching the model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.training.hooks.patches import Patches
from tensorboard_gradhealth.training.model import keras_model

Array = npt.NDArray[Any]


def copied(model: keras.Model) -> list[Array] | None:
    """Returns the values of a model and its optimizers; `None` if one of them is not finite."""
    values = []
    for variable in _variables(model):
        value = variable.numpy()
        if not np.isfinite(value).all():
            return None
        values.append(value)
    return values


def save(model: keras.Model, values: Sequence[Array], path: str) -> None:
    """Writes a file for `model.load_weights` as if the model held `values`.

    While Keras writes, its objects are shown the values instead of their own, in a scope of Keras'
    that is made for that; the model, which may be in the middle of its training, is not changed.

    Args:
      model: Built.
      values: As `copied` returned them for this model.
      path: Ends in `.weights.h5`. It is replaced as a whole, once the new file is complete.
    """
    pairs = list(zip(_variables(model), values, strict=True))
    scope = keras.StatelessScope(state_mapping=pairs)

    def shown(write: Any, store: Any) -> None:
        with scope:
            write(store)

    partial = path.removesuffix(".weights.h5") + ".partial.weights.h5"
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    patches = Patches()
    try:
        for holder in (model, *keras_model.inner_layers(model), *_optimizers(model)):
            patches.wrap(holder, "save_own_variables", shown)
        model.save_weights(partial)
    finally:
        patches.undo()
    os.replace(partial, path)


def _variables(model: keras.Model) -> list[Any]:
    states = [variable for optimizer in _optimizers(model) for variable in optimizer.variables]
    return list({id(v): v for v in [*model.variables, *states]}.values())


def _optimizers(model: keras.Model) -> list[Any]:
    if not model.compiled:
        return []
    held = [*keras_model.loss_scalers(model), *keras_model.optimizers(model)]
    return list({id(optimizer): optimizer for optimizer in held}.values())
