"""How often gradient clipping acts."""

from __future__ import annotations

from collections.abc import Sequence

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import OptimizerContext, Signal, Tensor
from tensorboard_gradhealth.signals._norm import squared_norms
from tensorboard_gradhealth.types import SignalSpec


def measure(context: OptimizerContext) -> Tensor:
    if context.gradients is None:
        return None
    excess = _excess(context, [_raw(g) for g in context.gradients if g is not None])
    # NaN is neither above nor below a limit, and stays visible.
    return tf.where(tf.math.is_nan(excess), excess, tf.cast(excess > 0.0, tf.float32))


def _excess(context: OptimizerContext, gradients: Sequence[Tensor]) -> Tensor:
    """float32 `[]`: by how much the gradients exceed the limit; 0 or less if they do not."""
    if context.clipvalue:
        sizes = [tf.reduce_max(tf.abs(tf.cast(g, tf.float32))) for g in gradients]
        return tf.reduce_max(tf.stack(sizes)) - context.clipvalue
    squares = squared_norms(gradients)
    if context.clipnorm:
        return tf.sqrt(tf.reduce_max(squares)) - context.clipnorm
    return tf.sqrt(tf.reduce_sum(squares)) - (context.global_clipnorm or 0.0)


def _raw(gradient: Tensor) -> Tensor:
    # TensorFlow clips the parts of a sparse gradient without adding repeated rows up.
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


SPEC = SignalSpec(
    name="clip_rate",
    title="Clipped steps",
    unit="",
    axis="run",
    description="Share of the updates in which gradient clipping made a gradient smaller. Near 1, "
    "clipping sets the step size instead of the learning rate.",
)
SIGNAL = Signal(SPEC, phase="optimizer", cost="light", measure=measure)
