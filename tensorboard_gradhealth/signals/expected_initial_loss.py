"""The loss of a model that knows nothing yet."""

from __future__ import annotations

import math

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import PredictionContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec

SQUARED_LOSSES = ("mse", "mean_squared_error")
ABSOLUTE_LOSSES = ("mae", "mean_absolute_error")


def measure(context: PredictionContext) -> Tensor:
    if context.loss in ("sparse_categorical_crossentropy", "categorical_crossentropy"):
        return tf.constant(math.log(context.outputs.shape[-1]))
    if context.loss == "binary_crossentropy":
        return tf.constant(math.log(2.0))
    if context.loss in SQUARED_LOSSES:
        return tf.reduce_mean(tf.square(tf.cast(context.labels, tf.float32)))
    if context.loss in ABSOLUTE_LOSSES:
        return tf.reduce_mean(tf.abs(tf.cast(context.labels, tf.float32)))
    return None


SPEC = SignalSpec(
    name="expected_initial_loss",
    title="Expected initial loss",
    unit="",
    axis="run",
    scale="log",
    description="Loss, without regularisation, of a model that gives every class the same "
    "probability, or zero for every number: where training should begin if the initial weights "
    "are of the usual size.",
)
SIGNAL = Signal(SPEC, phase="prediction", cost="standard", measure=measure, cadence="sample")
