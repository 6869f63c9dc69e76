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
from tensorboard_gradhealth.training.instrument import Instrument
from tensorboard_gradhealth.training.state import state_variable
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
        if names not in self._state:
            unknown = np.full([len(names), SAMPLE], NOT_MEASURED)
            self._state[names] = state_variable(unknown, "at"), state_variable(unknown, "moved")
        at, moved = self._state[names]
        now = tf.stack([_sample(variable) for variable in variables.values()])
        known = tf.not_equal(at, NOT_MEASURED)
        change = tf.where(known, now - at, NOT_MEASURED)
        both = known & tf.not_equal(moved, NOT_MEASURED)
        context = DirectionContext(tf.where(both, moved, 0.0), tf.where(both, change, 0.0))
        self._instrument.direction(names, context)
        at.assign(now)
        moved.assign(change)


def _sample(variable: Any) -> Tensor:
    """Returns float32 `[SAMPLE]`: elements at even distances, zeros where there are fewer."""
    flat = tf.reshape(tf.cast(tf.convert_to_tensor(variable), tf.float32), [-1])
    size = int(flat.shape[0])
    picked = flat[:: max(1, size // SAMPLE)][:SAMPLE]
    return tf.pad(picked, [[0, SAMPLE - min(size, SAMPLE)]])
