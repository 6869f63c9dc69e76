"""How much each variable has grown since training began."""

from __future__ import annotations

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import Signal, Tensor, UpdateContext
from tensorboard_gradhealth.types import NOT_MEASURED, SignalSpec


def measure(context: UpdateContext) -> Tensor:
    first = context.first_squared_weights
    if first is None:
        return None
    growth = tf.sqrt(tf.math.divide_no_nan(context.squared_weights, first))
    # What began as all zero (a bias) has grown from nothing.
    return tf.where(tf.equal(first, 0.0), NOT_MEASURED, growth)


SPEC = SignalSpec(
    name="weight_growth",
    title="Weight growth",
    unit="",
    axis="variable",
    scale="log",
    healthy=(0.1, 10.0),
    description="Norm of each variable before the step, divided by its norm when it was first "
    "measured. A layer that keeps growing makes its own gradient, or that of the next one, grow.",
)
SIGNAL = Signal(
    SPEC, phase="update", cost="standard", measure=measure, cadence="sample", grouped="growth"
)
