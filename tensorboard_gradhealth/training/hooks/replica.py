"""Looks at what one replica of several makes of its part of a batch, and merges it with the others.

Gradients, weights and loss are the same in all replicas, or are read after they were added up:
those the first replica's hooks record. What the others add are activations, inputs and labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.signals._base import Merge, Signal, StepContext
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import Slot, StepRecorder
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.hooks.activation_hooks import ActivationHooks
from tensorboard_gradhealth.training.hooks.data_hooks import DataHooks
from tensorboard_gradhealth.training.hooks.patches import Patches
from tensorboard_gradhealth.training.host.past import join
from tensorboard_gradhealth.types import NOT_MEASURED

Array = npt.NDArray[np.float32]
Tensor = Any

_PHASES = ("step", "output", "activation", "prediction", "feature", "class")


class Replica:
    """What one of the other replicas recorded.

    Args:
      number: Of the replica, from 1 on.
      signals: What is measured of the whole training.
      layers: See `Instrument`.
      capacity: Steps that the ring holds, >= 1.
      grows: See `StepRecorder`.
    """

    def __init__(
        self,
        number: int,
        signals: Sequence[Signal],
        layers: re.Pattern[str],
        capacity: int,
        grows: bool = False,
    ) -> None:
        self.number = number
        self.recorder = StepRecorder(capacity, _said_already, grows=grows, replica=number)
        chosen = [signal for signal in signals if signal.phase in _PHASES]
        self.instrument = Instrument(chosen, self.recorder, layers)


class ReplicaHooks:
    """Measures the part of each batch that another replica than the first one takes.

    Attributes:
      recorder: Of that replica.
      data: Its inputs and labels.
    """

    def __init__(self, model: keras.Model, replica: Replica, guard: Guard) -> None:
        self._guard = guard
        self.recorder = replica.recorder
        self._instrument = replica.instrument
        self.data = DataHooks(model, replica.instrument)
        self._activations = ActivationHooks(model, replica.instrument, replica.recorder, guard)
        self._inputs_seen = False

    def install(self, patches: Patches) -> None:
        """Hooks the model's layers."""
        self._activations.install(patches)

    def measure(self, lean: bool) -> None:
        """Chooses what the next trace measures."""
        self._instrument.lean = lean

    def train_step(self, original: Any, data: Any) -> Any:
        """Takes and measures this replica's part of a step of `fit`."""
        self.begin()
        try:
            with self._guard.protect("inputs of the other replicas"):
                self.data.inputs(data)
            logs = original(data)
            with self._guard.protect("activations of the other replicas"):
                self._activations.finish()
                self._measure_inputs()
                self.recorder.commit()
        finally:
            self.recorder.end()
        return logs

    def begin(self) -> None:
        """Starts a step."""
        self._inputs_seen = False
        self._activations.begin()
        self.recorder.begin()

    def inputs(self, inputs: Any) -> None:
        """Looks at the first inputs that the model is given in a step of somebody's own loop."""
        if not self._inputs_seen:
            self._inputs_seen = True
            with self._guard.protect("inputs of the other replicas"):
                self.data.inputs((inputs,))
                self._measure_inputs()

    def led_to(self, loss: Tensor) -> None:
        """Searches the activations for NaN where `loss`, float, that they led to, is not finite."""
        with self._guard.protect("activations of the other replicas"):
            self._activations.search(lambda: loss)

    def gather(self) -> None:
        """Writes down what a step of somebody's own loop left."""
        self.recorder.begin()
        self.recorder.commit()
        self.recorder.end()

    def _measure_inputs(self) -> None:
        self._instrument.step(StepContext(inputs=self.data.float_inputs))


def merged_rows(
    rows: Array, slots: Iterable[Slot], others: Sequence[Replica], signals: Sequence[Signal]
) -> Array:
    """Returns the ring rows of the first replica, with what the others add.

    Args:
      rows: float32 `[steps, columns]`, of the first one.
      slots: What the columns hold.
      others: They have recorded the same steps.
      signals: Know how their values are to be merged.
    """
    merged: Array = rows.copy()
    how = {signal.spec.name: signal.merge for signal in signals}
    read = [(other.recorder.read()[1], other.recorder.slots) for other in others]
    for slot in slots:
        parts = [rows[:, slot.columns]]
        for theirs, known in read:
            same = known.get((slot.signal, slot.rows))
            if same is not None and len(theirs) == len(rows):
                parts.append(theirs[:, same.columns])
        if len(parts) > 1:
            merged[:, slot.columns] = _merged(np.stack(parts), how[slot.signal])
    return merged


def merged_running(
    running: dict[str, Array], others: Sequence[Replica], signals: Sequence[Signal]
) -> dict[str, Array]:
    """Returns running statistics, float32 `[rows, fields]` by signal, with what others add."""
    fields = {signal.spec.name: signal.spec.fields for signal in signals}
    for other in others:
        theirs = other.instrument.read_running()
        for name in running.keys() & theirs.keys():
            if running[name].shape == theirs[name].shape:
                running[name] = join(running[name], theirs[name], fields[name])
    return running


def _merged(parts: Array, how: Merge) -> Array:
    """Merges float32 `[replicas, steps, rows]` over those that measured anything."""
    known = parts != NOT_MEASURED
    if how == "min":
        result = np.where(known, parts, np.inf).min(axis=0)
    else:
        result = np.where(known, parts, 0.0).sum(axis=0)
        if how == "mean":
            result /= np.maximum(known.sum(axis=0), 1)
    result[~known.any(axis=0)] = NOT_MEASURED
    return np.asarray(result, np.float32)


def _said_already(reason: str) -> None:
    """The first replica, which runs the same code, has reported it."""
