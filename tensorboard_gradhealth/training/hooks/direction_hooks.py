"""Looks at which way the weights go from step to step.

That takes the changes of two steps. They are kept of a sample of each variable's elements, always
the same ones, so that no copy of the model is held.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tensorboard_gradhealth.signals._base import DirectionContext
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.device.state import state_variable
from tensorboard_gradhealth.types import NOT_MEASURED

Tensor = Any

SAMPLE = 256
"""Elements of each variable that are looked at."""


class _Memory(NamedTuple):
    """Where the sample of some variables was after a number of steps, and how it got there.

    Attributes:
      at: float32 `[n]`.
      moved: float32 `[n]`: its change in the last of these steps; `NOT_MEASURED` if unknown.
      steps: int64 `[]`.
    """

    at: Any
    moved: Any
    steps: Any


class DirectionHooks:
    """Compares the change of each variable in the step under way with that in the step before.

    A step that is measured in full remembers where it left the variables. Ahead of one that follows
    on others, `note` has to be called before it and before the one that precedes it.
    """

    def __init__(self, instrument: Instrument, recorder: StepRecorder) -> None:
        self._instrument = instrument
        self._recorder = recorder
        self._memories: dict[tuple[str, ...], _Memory] = {}
        self._notes: dict[tuple[str, ...], Callable[[], None]] = {}

    def finish(self, variables: Mapping[str, Any]) -> None:
        """Measures the step that has just changed `variables`, by row name."""
        if not (variables and self._instrument.measures("direction")):
            return
        names = tuple(variables)
        samples = [_sample(variable) for variable in variables.values()]
        sizes = [int(sample.shape[0]) for sample in samples]
        if names not in self._memories:
            self._memories[names] = _nothing(sum(sizes))
        memory, now = self._memories[names], tf.concat(samples, axis=0)
        steps = self._recorder.steps + 1
        before, change = memory.moved.read_value(), _change(memory, now, steps)
        known = tf.not_equal(before, NOT_MEASURED) & tf.not_equal(change, NOT_MEASURED)
        context = DirectionContext(
            before=tf.where(known, before, 0.0),
            change=tf.where(known, change, 0.0),
            owners=np.repeat(np.arange(len(names)), sizes),
            variables=len(names),
        )
        self._instrument.direction(names, context)
        _remember(memory, now, change, steps)

    def note(self, rows: Callable[[], Mapping[str, Any]]) -> None:
        """Remembers, after a step that was not measured in full, where the variables are.

        Args:
          rows: Returns them by row name.
        """
        if not (self._memories and self._instrument.lean):
            return
        variables = rows()
        names = tuple(variables)
        memory = self._memories.get(names)
        if memory is None:
            return
        if names not in self._notes:
            look = functools.partial(self._note, memory, list(variables.values()))
            self._notes[names] = tf.function(look, autograph=False)
        self._notes[names]()

    def _note(self, memory: _Memory, variables: Sequence[Any]) -> None:
        now = tf.concat([_sample(variable) for variable in variables], axis=0)
        steps = self._recorder.steps.read_value()
        _remember(memory, now, _change(memory, now, steps), steps)


def _nothing(size: int) -> _Memory:
    unknown = np.full([size], NOT_MEASURED)
    return _Memory(
        at=state_variable(unknown, "at"),
        moved=state_variable(unknown, "moved"),
        steps=state_variable(np.int64(-1), "at_steps"),
    )


def _change(memory: _Memory, now: Tensor, steps: Tensor) -> Tensor:
    """Returns float32 `[n]`: the change in the last of `steps` steps, where `now` is afterwards."""
    older = tf.where(tf.equal(memory.steps, steps - 1), now - memory.at, NOT_MEASURED)
    return tf.where(tf.equal(memory.steps, steps), memory.moved, older)


def _remember(memory: _Memory, now: Tensor, change: Tensor, steps: Tensor) -> None:
    memory.at.assign(now)
    memory.moved.assign(change)
    memory.steps.assign(steps)


def _sample(variable: Any) -> Tensor:
    """Returns float32 `[n]`: up to `SAMPLE` elements of a variable, at even distances."""
    flat = tf.reshape(tf.convert_to_tensor(variable), [-1])
    size = int(flat.shape[0])
    if size > SAMPLE:
        flat = tf.gather(flat, np.linspace(0, size - 1, SAMPLE).astype(np.int32))
    return tf.cast(flat, tf.float32)
