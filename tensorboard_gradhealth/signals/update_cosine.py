"""Whether successive steps go the same way."""

from __future__ import annotations

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import DirectionContext, Signal, Tensor
from tensorboard_gradhealth.types import NOT_MEASURED, SignalSpec


def measure(context: DirectionContext) -> Tensor:
    product = tf.reduce_sum(context.before * context.change, axis=1)
    sizes = tf.norm(context.before, axis=1) * tf.norm(context.change, axis=1)
    # What did not move has no direction.
    return tf.where(tf.equal(sizes, 0.0), NOT_MEASURED, tf.math.divide_no_nan(product, sizes))


SPEC = SignalSpec(
    name="update_cosine",
    title="Update direction",
    unit="",
    axis="variable",
    description="Cosine of the angle between the changes of a variable in two steps in a row, "
    "over up to 256 of its elements (standard error of 1/16). Near 1, steps add up; near 0, each "
    "goes its own way; near -1, each undoes the one before, which is a step size too large.",
)
SIGNAL = Signal(SPEC, phase="direction", cost="full", measure=measure)
