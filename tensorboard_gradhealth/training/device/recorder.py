"""Carries measurements out of a compiled training step.

`tf.summary` cannot run inside a function compiled by XLA, and a host read at every step would
stall an accelerator. So the step writes one row of numbers into a small ring of variables, and the
host reads many rows at once. Every step is there in full; nothing is lost between two reads as
long as they are at most `capacity` steps apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tensorboard_gradhealth.training.device.state import state_variable
from tensorboard_gradhealth.training.model import distribution
from tensorboard_gradhealth.types import NOT_MEASURED

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Slot:
    """Where the rows of one measurement stand in a ring row.

    Attributes:
      signal: Name of the signal.
      rows: Names of its rows.
      start: Column of the first.
    """

    signal: str
    rows: tuple[str, ...]
    start: int

    @property
    def columns(self) -> slice:
        return slice(self.start, self.start + len(self.rows))


class StepRecorder:
    """Ring of the last steps' measurements on the device.

    Between `begin` and `commit`, `put` hands in measurements; `commit` writes them as one ring row.
    The first step that is traced decides which measurements there are; what a later trace adds is
    given to `report`, because the ring cannot grow under functions that are already compiled.
    Where steps run eagerly there are none, and the ring grows.

    Attributes:
      left_out: Signals that the step under way does not measure, wherever it might: what comes from
        outside its graph is then neither read nor reset.

    Args:
      capacity: Steps the ring holds, >= 1.
      report: Called with a sentence about a measurement that cannot be kept.
      grows: Whether the ring may grow all the same, because whatever calls `commit` is traced anew
        when `carried` changes.
      replica: The one whose steps are recorded.
    """

    def __init__(
        self,
        capacity: int,
        report: Callable[[str], None],
        *,
        grows: bool = False,
        replica: int = 0,
    ) -> None:
        self.capacity = capacity
        self.left_out: frozenset[str] = frozenset()
        self._replica = replica
        self._grows = grows
        self.slots: dict[tuple[str, tuple[str, ...]], Slot] = {}
        self._report = report
        self._values: dict[tuple[str, tuple[str, ...]], Tensor] = {}
        self._carriers: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._graph: Any = None
        self._ring: Any = None
        self.read_steps = 0
        self._steps = state_variable(np.int64(0), "steps")

    @property
    def recording(self) -> bool:
        """Whether a step is being traced or run right now, in the replica that is looked at."""
        return self.in_any_replica and distribution.replica() == self._replica

    @property
    def in_any_replica(self) -> bool:
        """Whether a step is being traced or run right now."""
        return self._graph is not None

    @property
    def in_step(self) -> bool:
        """Whether tensors made right now can be read at the end of the step under way."""
        return current_graph() is self._graph

    @property
    def carried(self) -> int:
        """How many measurements were met so far that come from outside the step's own graph."""
        return len(self._carriers)

    @property
    def steps(self) -> Tensor:
        """int64 `[]`: steps recorded so far."""
        return self._steps

    @property
    def taken(self) -> int:
        """Steps recorded so far; waits for the last of them."""
        return int(self._steps.numpy())

    def begin(self) -> None:
        """Starts a training step."""
        self._graph = current_graph()
        self._values = {}

    def end(self) -> None:
        """Ends the step under way; what was put and not committed is forgotten."""
        self._graph = None

    def put(self, signal: str, rows: Sequence[str], values: Tensor) -> None:
        """Hands in `values`, float32 `[len(rows)]`, of one signal for the step under way."""
        key = (signal, tuple(rows))
        values = tf.reshape(tf.cast(values, tf.float32), [len(key[1])])
        if self.in_step:
            self._values[key] = values
            return
        # Inside a branch or a nested function: its tensors cannot be read from the step's graph.
        if key not in self._carriers:
            initial = np.full([len(key[1])], NOT_MEASURED)
            self._carriers[key] = state_variable(initial, "carrier")
        self._carriers[key].assign(values)

    def current(self, signal: str) -> Tensor | None:
        """Returns what was put of a signal in the step under way, in one tensor.

        Returns:
          float32 `[n]`, `NOT_MEASURED` where it was put in a branch that did not run; `None` if
          the step has no such signal.
        """
        parts = [value for (name, _), value in self._gather().items() if name == signal]
        return tf.concat(parts, axis=0) if parts else None

    def restart(self) -> None:
        """Forgets which measurements there are: the step is about to be traced anew.

        Steps go on counting. What was not read by now is lost.
        """
        self.read_steps = self.taken
        self.slots = {}
        self._carriers = {}
        self._ring = None

    def read(self) -> tuple[int, npt.NDArray[np.float32]]:
        """Returns what was recorded since the last read.

        Returns:
          The number of the first step returned, counted from 0, and float32 `[steps, columns]`.
        """
        total = self.taken
        first = max(self.read_steps, total - self.capacity)
        self.read_steps = total
        if self._ring is None or first == total:
            return first, np.empty((0, 0), np.float32)
        positions = np.arange(first, total) % self.capacity
        return first, self._ring.numpy()[positions]

    def latest(self, signal: str) -> dict[str, float]:
        """Returns what the newest step recorded of a signal, by row name; without what it lacks."""
        step = self.taken - 1
        if self._ring is None or step < 0:
            return {}
        values = self._ring[step % self.capacity].numpy()
        found = {
            name: float(value)
            for slot in self.slots.values()
            if slot.signal == signal
            for name, value in zip(slot.rows, values[slot.columns], strict=True)
        }
        return {name: value for name, value in found.items() if value != NOT_MEASURED}

    def commit(self) -> None:
        """Writes what was put since `begin` as the ring row of this step."""
        values = self._gather()
        self._make_room(values)
        parts = [values.get(key, _absent(slot.rows)) for key, slot in self.slots.items()]
        position = tf.cast(self._steps % self.capacity, tf.int32)
        row = tf.concat(parts, axis=0)[tf.newaxis] if parts else tf.zeros([1, 0])
        self._ring.scatter_update(tf.IndexedSlices(row, position[tf.newaxis]))
        self._steps.assign_add(1)
        for (_, rows), carrier in self._met().items():
            carrier.assign(_absent(rows))

    def _gather(self) -> dict[tuple[str, tuple[str, ...]], Tensor]:
        values = dict(self._values)
        for key, carrier in self._met().items():
            carried = carrier.read_value()
            outside = values.get(key, carried)
            values[key] = tf.where(tf.equal(carried, NOT_MEASURED), outside, carried)
        return values

    def _met(self) -> dict[tuple[str, tuple[str, ...]], Any]:
        return {key: each for key, each in self._carriers.items() if key[0] not in self.left_out}

    def _make_room(self, values: dict[tuple[str, tuple[str, ...]], Tensor]) -> None:
        """Gives measurements that have none their columns in the ring, if it can still grow."""
        new = [key for key in values if key not in self.slots]
        if self._ring is not None and not (self._grows or tf.executing_eagerly()):
            for signal, rows in new:
                names = ", ".join(rows)
                self._report(f"{signal} of {names} appeared after the first step was traced")
            return
        columns = sum(len(rows) for _, rows in self.slots)
        for signal, rows in new:
            self.slots[signal, rows] = Slot(signal, rows, columns)
            columns += len(rows)
        if new or self._ring is None:
            self._grow(columns)

    def _grow(self, columns: int) -> None:
        ring = np.full([self.capacity, columns], NOT_MEASURED)
        if self._ring is not None:
            with tf.init_scope():
                old = self._ring.numpy()
            ring[:, : old.shape[1]] = old
        self._ring = state_variable(ring, "ring")


def _absent(rows: Sequence[str]) -> Tensor:
    return tf.fill([len(rows)], NOT_MEASURED)


def current_graph() -> Any:
    """Returns what ops are put into right now; "eager" where they run at once."""
    return "eager" if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
