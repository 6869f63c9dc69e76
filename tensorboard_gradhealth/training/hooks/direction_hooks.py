"""Looks at which way the weights go from step to step.

That takes the changes of two steps. They are kept of a sample of each variable's elements, always
the same ones, so that no copy of the model is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tensorboard_gradhealth.signals._base import DirectionContext
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.state import state_variable
from tensorboard_gradhealth.types import NOT_MEASURED

Tensor = Any

SAMPLE = 256
"""Elements of each variable that are looked at."""


class DirectionHooks:
    """Compares the change of each variable in the step under way with that in the step before."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._state: dict[tuple[str, ...], tuple[Any, Any]] = {}

    def finish(self, variables: Mapping[str, Any]) -> None:
        """Measures the step that has just changed `variables`, by row name."""
        if not (variables and self._instrument.measures("direction")):
            return
        names = tuple(variables)
        samples = [_sample(variable) for variable in variables.values()]
        sizes = [int(sample.shape[0]) for sample in samples]
        if names not in self._state:
            unknown = np.full([sum(sizes)], NOT_MEASURED)
            self._state[names] = state_variable(unknown, "at"), state_variable(unknown, "moved")
        at, moved = self._state[names]
        now = tf.concat(samples, axis=0)
        change = tf.where(tf.equal(at, NOT_MEASURED), NOT_MEASURED, now - at)
        known = tf.not_equal(moved, NOT_MEASURED) & tf.not_equal(at, NOT_MEASURED)
        context = DirectionContext(
            before=tf.where(known, moved, 0.0),
            change=tf.where(known, change, 0.0),
            owners=np.repeat(np.arange(len(names)), sizes),
            variables=len(names),
        )
        self._instrument.direction(names, context)
        at.assign(now)
        moved.assign(change)


def _sample(variable: Any) -> Tensor:
    """Returns float32 `[n]`: up to `SAMPLE` elements of a variable, at even distances."""
    flat = tf.reshape(tf.convert_to_tensor(variable), [-1])
    size = int(flat.shape[0])
    if size > SAMPLE:
        flat = tf.gather(flat, np.linspace(0, size - 1, SAMPLE).astype(np.int32))
    return tf.cast(flat, tf.float32)
