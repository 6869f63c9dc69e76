"""Which classes a model predicts."""

from __future__ import annotations

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import PredictionContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec

MAX_CLASSES = 100
"""More would make the log large, and a chart of them small."""


def measure(context: PredictionContext) -> Tensor:
    outputs, classes = context.outputs, context.outputs.shape[-1]
    if context.loss == "binary_crossentropy" and classes == 1:
        positive = tf.reduce_mean(
            tf.cast(outputs > (0.0 if context.from_logits else 0.5), tf.float32)
        )
        return tf.stack([1.0 - positive, positive])
    if context.loss not in ("sparse_categorical_crossentropy", "categorical_crossentropy"):
        return None
    if not 1 < classes <= MAX_CLASSES:
        return None
    predicted = tf.reshape(tf.argmax(outputs, axis=-1), [-1])
    return tf.reduce_mean(tf.one_hot(predicted, classes), axis=0)


SPEC = SignalSpec(
    name="predicted_share",
    title="Predicted classes",
    unit="",
    axis="class",
    description="Share of a batch's predictions that falls on each class. One class near 1 while "
    "the labels are of several: the model has collapsed onto it.",
)
SIGNAL = Signal(SPEC, phase="prediction", cost="standard", measure=measure, cadence="sample")
