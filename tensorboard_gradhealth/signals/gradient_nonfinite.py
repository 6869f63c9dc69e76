"""NaN and infinity in gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import (
    Array,
    GradientContext,
    Signal,
    Tensor,
    count_if_any,
    nonfinite_elements,
)
from tensorboard_gradhealth.signals._norm import LARGE
from tensorboard_gradhealth.types import SignalSpec


def measure(context: GradientContext) -> Tensor:
    pairs = list(zip(context.values, context.half_squared_norms, strict=True))
    return tf.concat([_count(pairs[start:end]) for start, end in _groups(context.values)], axis=0)


def _groups(values: Sequence[Tensor]) -> Iterator[tuple[int, int]]:
    """Yields where to cut the row of gradients.

    Groups share a branch, which is cheaper than one each. But it keeps all of its gradients until
    the last of them is there: one group of all would double the memory that they take.
    """
    start = elements = 0
    for end, value in enumerate(values):
        size = value.shape.num_elements() or 0
        if end > start and elements + size > LARGE:
            yield start, end
            start, elements = end, 0
        elements += size
    yield start, len(values)


def _count(group: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    return count_if_any(tf.stack([square for _, square in group]), lambda: [v for v, _ in group])


def measure_numpy(context: GradientContext) -> Array:
    return np.array([nonfinite_elements(value) for value in context.values])


SPEC = SignalSpec(
    name="gradient_nonfinite",
    title="Non-finite gradients",
    unit="elements",
    axis="variable",
    healthy=(None, 0.0),
    description="NaN and infinite elements in each variable's gradient.",
)
SIGNAL = Signal(
    SPEC,
    phase="gradient",
    cost="light",
    measure=measure,
    measure_numpy=measure_numpy,
    cadence="sample",
    grouped="sum",
)
