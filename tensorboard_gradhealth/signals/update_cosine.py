"""Whether successive steps go the same way."""

from __future__ import annotations

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import DirectionContext, Signal, Tensor
from tensorboard_gradhealth.types import NOT_MEASURED, SignalSpec


def measure(context: DirectionContext) -> Tensor:
    products = [
        context.before * context.change,
        tf.square(context.before),
        tf.square(context.change),
    ]
    # One sum for each variable, of all three at once.
    sums = tf.math.unsorted_segment_sum(
        tf.stack(products, axis=1), context.owners, context.variables
    )
    sizes = tf.sqrt(sums[:, 1]) * tf.sqrt(sums[:, 2])
    # What did not move has no direction.
    return tf.where(tf.equal(sizes, 0.0), NOT_MEASURED, tf.math.divide_no_nan(sums[:, 0], sizes))


SPEC = SignalSpec(
    name="update_cosine",
    title="Update direction",
    unit="",
    axis="variable",
    description="Cosine of the angle between the changes of a variable in two steps in a row, "
    "over up to 256 of its elements (standard error of 1/16). Near 1, steps add up; near 0, each "
    "goes its own way; near -1, each undoes the one before, which is a step size too large.",
)
SIGNAL = Signal(SPEC, phase="direction", cost="full", measure=measure, cadence="sample")
