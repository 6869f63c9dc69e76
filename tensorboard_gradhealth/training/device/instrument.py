"""Applies the signals to what the hooks hand over, inside the training step.

Knows TensorFlow but no Keras: the hooks call it with gradients, weights and activations, it runs
the signals of the matching phase and puts their values into the recorder.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tensorboard_gradhealth.signals._base import (
    ActivationContext,
    DirectionContext,
    GradientContext,
    OptimizerContext,
    OutputContext,
    Phase,
    PredictionContext,
    RunningContext,
    Signal,
    StepContext,
    UpdateContext,
)
from tensorboard_gradhealth.signals.dead_fraction import silent_units
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.device.state import state_variable
from tensorboard_gradhealth.types import NOT_MEASURED, Axis, Row

Tensor = Any

ALL = re.compile("")


class Instrument:
    """Runs signals on one training step after the other.

    Attributes:
      rows: Descriptions of the rows met so far, by axis and name.
      lean: Whether to leave out the signals whose cadence is `sample`.

    Args:
      signals: What to measure.
      recorder: Where the values go.
      layers: Searched for in the names of variables and activations; those without are left out.
    """

    def __init__(
        self, signals: Sequence[Signal], recorder: StepRecorder, layers: re.Pattern[str] = ALL
    ) -> None:
        self.rows: dict[Axis, dict[str, Row]] = {}
        self.lean = False
        self._signals = signals
        self._recorder = recorder
        self._layers = layers
        self._silent: dict[tuple[str, ...], Any] = {}
        self._first: dict[tuple[str, ...], Any] = {}
        self._running: dict[str, dict[str, Any]] = {}

    def add_rows(self, axis: Axis, rows: Iterable[Row]) -> None:
        """Makes rows of an axis known, in the order in which the log shall have them."""
        known = self.rows.setdefault(axis, {})
        for row in rows:
            known.setdefault(row.name, row)

    def selects(self, name: str) -> bool:
        """Whether the variable or activation of this name was asked for."""
        return self._layers.search(name) is not None

    def names(self, *phases: Phase) -> list[str]:
        """Returns the names of the signals of these phases that were asked for."""
        return [signal.spec.name for signal in self._signals if signal.phase in phases]

    def wants(self, phase: Phase) -> bool:
        """Whether any signal of this phase was asked for."""
        return any(signal.phase == phase for signal in self._signals)

    def measures(self, phase: Phase) -> bool:
        """Whether any signal of this phase is measured in the step that is being traced or run."""
        return any(signal.phase == phase for signal in self._active())

    @property
    def left_out(self) -> frozenset[str]:
        """Names of the signals that are not measured now."""
        measured = {signal.spec.name for signal in self._active()}
        return frozenset(signal.spec.name for signal in self._signals) - measured

    def gradients(self, names: Sequence[str], gradients: Sequence[Tensor]) -> None:
        """Measures the gradients of one optimizer call, before clipping."""
        self._measure("gradient", names, GradientContext(gradients))

    def optimizer(self, context: OptimizerContext) -> None:
        """Measures one optimizer call as a whole; the largest value counts if a step has several.

        That is what a step with two optimizers, one of which was skipped, has to say.
        """
        for signal in self._active():
            value = signal.measure(context) if signal.phase == "optimizer" else None
            if value is not None:
                name = signal.spec.name
                before = self._recorder.current(name)  # NOT_MEASURED is below every value
                value = value if before is None else tf.maximum(value, tf.reduce_max(before))
                self._recorder.put(name, [""], tf.stop_gradient(value))

    def updates(self, names: Sequence[str], context: UpdateContext) -> None:
        """Measures the weight changes of one optimizer call, after they were made."""
        first = self._first_sizes(tuple(names), context.squared_weights)
        context = dataclasses.replace(context, first_squared_weights=first)
        self._measure("update", names, context)

    def direction(self, names: Sequence[str], context: DirectionContext) -> None:
        """Measures two changes in a row of each variable."""
        self._measure("direction", names, context)

    def predictions(self, rows: Sequence[Row], context: PredictionContext) -> None:
        """Measures the outputs of a step; `rows` are the classes that they tell apart, if any."""
        for signal in self._active():
            value = signal.measure(context) if signal.phase == "prediction" else None
            if value is not None:
                names = [row.name for row in rows] if signal.spec.axis == "class" else [""]
                self.add_rows("class", rows)
                self._recorder.put(signal.spec.name, names, tf.stop_gradient(value))

    def outputs(self, names: Sequence[str], outputs: Sequence[Tensor]) -> None:
        """Measures the full outputs of activations, `[batch, ..., units]` each."""
        self._measure("output", names, OutputContext.of(outputs))

    def outputs_behind(
        self, sound: Tensor, names: Sequence[str], outputs: Sequence[Callable[[], Tensor]]
    ) -> None:
        """Measures the full outputs of activations where what they led to is not finite.

        Args:
          sound: bool `[]`: whether it is finite.
          names: A rows.
          outputs: A functions that return the outputs, `[batch, ..., units]`.
        """
        self._measure("output", names, OutputContext(outputs, sound))

    def activations(self, names: Sequence[str], context: ActivationContext) -> None:
        """Measures A activations of equal shape and function."""
        self._measure("activation", names, context)

    def silence(self, names: Sequence[str], outputs: Tensor, samples: Tensor) -> Tensor:
        """Updates the memory of the silent units of A activations.

        Args:
          names: Their A rows.
          outputs: float32 `[A, n, units]`.
          samples: int `[]`: how many samples of the batch the n come from.

        Returns:
          float32 `[A, units]`: samples in a row for which each unit has been silent.
        """
        key = tuple(names)
        if key not in self._silent:
            zeros = np.zeros([len(key), outputs.shape[-1]], np.float32)
            self._silent[key] = state_variable(zeros, "silent")
        memory = self._silent[key]
        longer = memory + tf.cast(samples, tf.float32)
        updated = tf.where(silent_units(outputs), longer, 0.0)
        memory.assign(updated)
        return updated

    def running(
        self,
        phase: Phase,
        group: str,
        rows: Sequence[Row],
        samples: Callable[[bool], Tensor],
        suspect: Tensor | None = None,
    ) -> None:
        """Adds samples to the running statistics, on the steps that are measured in full.

        Args:
          phase: `feature` or `class`.
          group: Name of the tensor that the samples come from.
          rows: What the columns of the samples stand for.
          samples: Returns float32 `[n, rows]`: all of them, or a few if its argument is false.
          suspect: bool `[]`: whether all must be looked at, and on any step; `None` if never.
        """
        for signal in self._active():
            if signal.phase == phase:
                self.add_rows(signal.spec.axis, rows)
                state = self._running_state(signal, group, len(rows))
                add = partial(_add_samples, signal, state, samples)
                usual: Callable[[], bool] = _add_nothing if self.lean else partial(add, False)
                if suspect is None:
                    usual()
                else:
                    tf.cond(suspect, partial(add, True), usual)

    def read_running(self) -> dict[str, npt.NDArray[np.float32]]:
        """Returns the running statistics, float32 `[rows, fields]` by signal name."""
        return {
            name: np.concatenate([state.numpy() for state in groups.values()])
            for name, groups in self._running.items()
        }

    def step(self, context: StepContext) -> None:
        """Measures the step as a whole, after its updates."""
        # From the recorder, because optimizers may have run inside branches of the step.
        norms = self._recorder.current("gradient_norm")
        if norms is not None:
            squares = tf.where(tf.equal(norms, NOT_MEASURED), NOT_MEASURED, norms**2)
            context = dataclasses.replace(context, squared_norms=squares)
        self._measure("step", [""], context)

    def _first_sizes(self, names: tuple[str, ...], squares: Tensor) -> Tensor:
        if names not in self._first:
            self._first[names] = state_variable(np.full([len(names)], NOT_MEASURED), "first")
        memory = self._first[names]
        first = tf.where(tf.equal(memory, NOT_MEASURED), squares, memory)
        memory.assign(first)
        return first

    def _active(self) -> Iterator[Signal]:
        return (s for s in self._signals if s.cadence == "step" or not self.lean)

    def _measure(self, phase: Phase, names: Sequence[str], context: Any) -> None:
        for signal in self._active():
            if signal.phase == phase:
                value = signal.measure(context)
                if value is not None:
                    self._recorder.put(signal.spec.name, names, tf.stop_gradient(value))

    def _running_state(self, signal: Signal, group: str, rows: int) -> Any:
        groups = self._running.setdefault(signal.spec.name, {})
        if group not in groups:
            zeros = np.zeros([rows, len(signal.spec.fields)], np.float32)
            groups[group] = state_variable(zeros, "running")
        return groups[group]


def _add_samples(
    signal: Signal, state: Any, samples: Callable[[bool], Tensor], whole: bool
) -> bool:
    state.assign(signal.measure(RunningContext(samples(whole), state.read_value())))
    return True


def _add_nothing() -> bool:
    return False
