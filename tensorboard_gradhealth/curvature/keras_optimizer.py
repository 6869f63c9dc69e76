"""Stability limit and preconditioner of a Keras optimizer, read from its own state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.curvature.reasons import NotMeasurable
from tensorboard_gradhealth.curvature.stability import StabilityLimit, stability_limit

Tensor = Any


def keras_limit(optimizer: keras.optimizers.Optimizer) -> StabilityLimit:
    """Returns the stability limit of an optimizer at its present learning rate.

    Raises:
      NotMeasurable: No limit is known for it; says why.
    """
    inner = _inner(optimizer)
    options = {
        name: getattr(inner, name)
        for name in ("momentum", "nesterov", "beta_1")
        if hasattr(inner, name)
    }
    learning_rate = float(tf.convert_to_tensor(inner.learning_rate))
    return stability_limit(type(inner).__name__, learning_rate, **options)


def keras_preconditioner(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
) -> list[Tensor]:
    """Returns what an optimizer divides the (averaged) gradient by, beside the learning rate.

    That is the diagonal P of Cohen et al. 2022, after the last step taken: bias corrections and
    epsilon are in it.

    Args:
      optimizer: Adam, AdamW, RMSprop or Adagrad.
      variables: Trained by it.

    Returns:
      Tensors shaped like `variables`, in the same order.

    Raises:
      NotMeasurable: It has no diagonal preconditioner, or has not taken a step yet.
    """
    inner = _inner(optimizer)
    name = type(inner).__name__
    divisor = _DIVISORS.get(name.lower())
    if divisor is None:
        raise NotMeasurable(f"{name} does not divide the gradient by a running size of it")
    if int(tf.convert_to_tensor(inner.iterations)) == 0:
        raise NotMeasurable(f"{name} has not taken a step yet")
    return [divisor(inner, inner._get_variable_index(variable)) for variable in variables]


def _adam(optimizer: Any, index: int) -> Tensor:
    seconds = optimizer._velocity_hats if optimizer.amsgrad else optimizer._velocities
    second = tf.convert_to_tensor(seconds[index])
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations), second.dtype)
    corrected_first = 1.0 - tf.pow(tf.cast(optimizer.beta_1, second.dtype), step)
    corrected_second = 1.0 - tf.pow(tf.cast(optimizer.beta_2, second.dtype), step)
    scale = corrected_first / tf.sqrt(corrected_second)
    return scale * (tf.sqrt(second) + optimizer.epsilon)


def _rmsprop(optimizer: Any, index: int) -> Tensor:
    second = tf.convert_to_tensor(optimizer._velocities[index])
    if optimizer.centered:
        second -= tf.square(tf.convert_to_tensor(optimizer._average_gradients[index]))
    return tf.sqrt(second + optimizer.epsilon)


def _adagrad(optimizer: Any, index: int) -> Tensor:
    return tf.sqrt(tf.convert_to_tensor(optimizer._accumulators[index]) + optimizer.epsilon)


_DIVISORS: dict[str, Callable[[Any, int], Tensor]] = {
    "adam": _adam,
    "adamw": _adam,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
}


def _inner(optimizer: Any) -> Any:
    """Returns the optimizer inside one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)
