"""Applies the signals to what the hooks hand over, inside the training step.

Knows TensorFlow but no Keras: the hooks call it with gradients, weights and activations, it runs
the signals of the matching phase and puts their values into the recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tensorboard_gradhealth.signals._base import (
    ActivationContext,
    GradientContext,
    Phase,
    RunningContext,
    Signal,
    StepContext,
    UpdateContext,
)
from tensorboard_gradhealth.signals.dead_fraction import silent_units
from tensorboard_gradhealth.training.recorder import StepRecorder
from tensorboard_gradhealth.types import Axis, Row

Tensor = Any

RUNNING_STEPS = 10
"""Running statistics look at each of the first steps, then at one step in `RUNNING_EVERY`."""
RUNNING_EVERY = 100


class Instrument:
    """Runs signals on one training step after the other.

    Args:
      signals: What to measure.
      recorder: Where the values go.
    """

    def __init__(self, signals: Sequence[Signal], recorder: StepRecorder) -> None:
        self.rows: dict[Axis, dict[str, Row]] = {}
        self._signals = signals
        self._recorder = recorder
        self._squared_norms: list[Tensor] = []
        self._silent: dict[str, Any] = {}
        self._running: dict[str, dict[str, Any]] = {}

    def begin(self) -> None:
        """Forgets what was gathered in the step before."""
        self._squared_norms = []

    def add_rows(self, axis: Axis, rows: Iterable[Row]) -> None:
        """Makes rows of an axis known, in the order in which the log shall have them."""
        known = self.rows.setdefault(axis, {})
        for row in rows:
            known.setdefault(row.name, row)

    def wants(self, phase: Phase) -> bool:
        """Whether any signal of this phase was asked for."""
        return any(signal.phase == phase for signal in self._signals)

    def gradients(self, names: Sequence[str], gradients: Sequence[Tensor]) -> None:
        """Measures the gradients of one optimizer call, before clipping."""
        context = GradientContext(gradients)
        self._squared_norms.append(context.squared_norms)
        self._measure("gradient", names, context)

    def updates(self, names: Sequence[str], context: UpdateContext) -> None:
        """Measures the weight changes of one optimizer call, after they were made."""
        self._measure("update", names, context)

    def activation(self, row: Row, context: ActivationContext) -> None:
        """Measures one activation function."""
        self.add_rows("activation", [row])
        self._measure("activation", [row.name], context)

    def silence(self, name: str, sample_outputs: Tensor) -> Tensor:
        """Updates the memory of an activation's silent units.

        Args:
          name: The activation's row.
          sample_outputs: float32 `[k, ..., units]`.

        Returns:
          float32 `[units]`: samples in a row for which each unit has been silent.
        """
        if name not in self._silent:
            with tf.init_scope():
                zeros = tf.zeros([sample_outputs.shape[-1]])
                self._silent[name] = tf.Variable(zeros, trainable=False, name="gradhealth_silent")
        samples = tf.cast(tf.shape(sample_outputs)[0], tf.float32)
        memory = self._silent[name]
        updated = tf.where(silent_units(sample_outputs), memory + samples, 0.0)
        memory.assign(updated)
        return updated

    def running(
        self,
        phase: Phase,
        group: str,
        rows: Sequence[Row],
        samples: Callable[[], Tensor],
        suspect: Tensor | bool = False,
    ) -> None:
        """Adds samples to the running statistics, on the steps that look at them.

        Args:
          phase: `feature` or `class`.
          group: Name of the tensor that the samples come from.
          rows: What the columns of the samples stand for.
          samples: Returns float32 `[n, rows]`; called inside the branch that needs it.
          suspect: bool `[]`: whether these samples must be looked at on any step.
        """
        step = self._recorder.steps
        due = (step < RUNNING_STEPS) | tf.equal(step % RUNNING_EVERY, 0) | suspect
        for signal in self._signals:
            if signal.phase == phase:
                self.add_rows(signal.spec.axis, rows)
                state = self._running_state(signal, group, len(rows))
                tf.cond(due, partial(_add_samples, signal, state, samples), lambda: False)

    def read_running(self) -> dict[str, npt.NDArray[np.float32]]:
        """Returns the running statistics, float32 `[rows, fields]` by signal name."""
        return {
            name: np.concatenate([state.numpy() for state in groups.values()])
            for name, groups in self._running.items()
        }

    def step(self, context: StepContext) -> None:
        """Measures the step as a whole, after its updates."""
        norms = tf.concat(self._squared_norms, axis=0) if self._squared_norms else None
        self._measure(
            "step",
            [""],
            StepContext(context.loss, context.learning_rate, norms, context.inputs),
        )

    def _measure(self, phase: Phase, names: Sequence[str], context: Any) -> None:
        for signal in self._signals:
            if signal.phase == phase:
                value = signal.measure(context)
                if value is not None:
                    self._recorder.put(signal.spec.name, names, tf.stop_gradient(value))

    def _running_state(self, signal: Signal, group: str, rows: int) -> Any:
        groups = self._running.setdefault(signal.spec.name, {})
        if group not in groups:
            with tf.init_scope():
                zeros = tf.zeros([rows, len(signal.spec.fields)])
                groups[group] = tf.Variable(zeros, trainable=False, name="gradhealth_running")
        return groups[group]


def _add_samples(signal: Signal, state: Any, samples: Callable[[], Tensor]) -> bool:
    state.assign(signal.measure(RunningContext(samples(), state.read_value())))
    return True
