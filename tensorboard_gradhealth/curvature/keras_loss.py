"""The loss that a Keras model trains on, as a pure function of its weights.

Everything happens in a `keras.StatelessScope`: what a layer or a metric assigns lands in the scope
and is dropped with it. Seed generators are read and not advanced, so that every call in a probe
draws the dropout mask that the next training step will draw.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state

from tensorboard_gradhealth.curvature.hvp import LossFunction, Tensor
from tensorboard_gradhealth.curvature.reasons import NotMeasurable

_HALF = ("float16", "bfloat16")


def keras_loss(model: keras.Model, state: Sequence[keras.Variable] = ()) -> LossFunction:
    """Returns `loss_fn(weights, x, y=None, sample_weight=None)` of a built and compiled model.

    It is the loss of a training step: dropout is on, BatchNorm uses the batch, and losses of
    regularisers and `add_loss` are in it. Half precision is raised to float32.

    Args:
      model: `weights` are in the order of its `trainable_variables`.
      state: Other variables of it that `loss_fn` takes the values of, after the weights.

    Raises:
      NotMeasurable: Its `train_step` is its own, so that nobody knows what loss that trains on;
        such a model may also never be built, as one that calls its parts and not itself.
      ValueError: The model is not built, or not compiled.
    """
    if type(model).train_step is not keras.Model.train_step:
        raise NotMeasurable(
            f"`{type(model).__name__}` has a train_step of its own; the loss in it is not known"
        )
    if not model.built or not model.compiled:
        missing = "compiled" if model.built else "built"
        raise ValueError(f"the model `{model.name}` must be {missing} before it can be probed")

    def loss_fn(
        weights: Sequence[Tensor], x: Any, y: Any = None, sample_weight: Any = None
    ) -> Tensor:
        options = {"training": True} if model._call_has_training_arg else {}
        variables = [*model.trainable_variables, *state]
        with stateless(variables, weights), _in_float32(model):
            try:
                predicted = model(x, **options)
                loss = model._compute_loss(x, y, predicted, sample_weight, training=True)
            finally:
                model._clear_losses()
        # Under a strategy Keras divides each replica's loss, so that their sum is the mean.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return loss if replicas == 1 else loss * float(replicas)

    return loss_fn


def variables_loss(
    loss_fn: Callable[..., Tensor], variables: Sequence[keras.Variable]
) -> LossFunction:
    """Returns a loss that reads Keras variables by itself as a pure function of their values.

    Args:
      loss_fn: `loss_fn(*batch)`: a float scalar.
      variables: Those to differentiate by, such as a model's `trainable_variables`.
    """

    def pure(weights: Sequence[Tensor], *batch: Any) -> Tensor:
        with stateless(variables, weights):
            return loss_fn(*batch)

    return pure


@contextlib.contextmanager
def stateless(variables: Sequence[keras.Variable], weights: Sequence[Tensor]) -> Iterator[None]:
    """Gives Keras variables other values inside, and lets nothing be assigned for good."""
    mapping = list(zip(variables, weights, strict=True))
    scope = keras.StatelessScope(mapping, collect_losses=True, initialize_variables=False)
    with _name_scopes_closed(), scope:
        yield


@contextlib.contextmanager
def _name_scopes_closed() -> Iterator[None]:
    """Closes what a failing model leaves open.

    Where a layer's name is not allowed in a graph, Keras leaves its scope open, and the variables
    of later models would be named after it.
    """
    scopes = global_state.get_global_attribute("name_scope_stack", [], set_to_default=True)
    depth = len(scopes)
    try:
        yield
    finally:
        del scopes[depth:]


@contextlib.contextmanager
def _in_float32(model: keras.Model) -> Iterator[None]:
    """Raises layers of half precision to float32, and keeps recurrent ones off cuDNN.

    cuDNN's recurrent kernels have no second derivative.
    """
    undo: list[tuple[Any, str, Any]] = []
    try:
        for layer in model._flatten_layers():
            if layer.compute_dtype in _HALF:
                undo.append((layer, "_dtype_policy", layer._dtype_policy))
                layer._dtype_policy = keras.dtype_policies.get("float32")
            if hasattr(layer, "use_cudnn"):
                undo.append((layer, "use_cudnn", layer.use_cudnn))
                layer.use_cudnn = False
        yield
    finally:
        for layer, name, value in reversed(undo):
            setattr(layer, name, value)
