"""Trainings that only pretend: their measurements are made up, everything after them is real."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.actions import Action
from tensorboard_gradhealth.signals import preset_signals
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.training.device.recorder import Slot
from tensorboard_gradhealth.training.host.action_runner import ActionRunner
from tensorboard_gradhealth.training.host.session import Session
from tensorboard_gradhealth.training.host.windows import WindowFolder
from tensorboard_gradhealth.types import Axis, Row

Array = npt.NDArray[np.float32]


IN_THE_STEP = ("step", "gradient", "update", "output", "activation", "optimizer")
"""Phases whose signals are in the ring."""


@dataclasses.dataclass
class Ring:
    """Stands in for `StepRecorder`: holds the steps that are put into it until they are read."""

    slots: dict[Any, Slot]
    capacity: int = 64
    read_steps: int = 0
    unread: list[Array] = dataclasses.field(default_factory=list)

    def read(self) -> tuple[int, Array]:
        first, rows, self.unread = self.read_steps, self.unread, []
        self.read_steps += sum(map(len, rows))
        return first, np.concatenate(rows) if rows else np.empty((0, 0), np.float32)


@dataclasses.dataclass
class Rows:
    """Stands in for `Instrument`: knows the rows and the running statistics."""

    rows: dict[Axis, dict[str, Row]]
    running: dict[str, Array] = dataclasses.field(default_factory=dict)

    def read_running(self) -> Mapping[str, Array]:
        return dict(self.running)


class Training:
    """A session with the standard preset over networks that do not exist.

    Args:
      log_dir: Where its log goes.
      layers: Each has a kernel, a bias and an activation.
      first_step: How many steps were taken before.
      capacity: Of the ring.
      rules: Instead of the real ones.
      budget: Of records.
      actions: Called when findings open.
    """

    def __init__(
        self,
        log_dir: str | Path,
        layers: int = 1,
        *,
        first_step: int = 0,
        capacity: int = 64,
        rules: Sequence[Any] | None = None,
        budget: int = 1500,
        actions: Sequence[Action] = (),
    ) -> None:
        signals = preset_signals("standard")
        names = [f"layer_{i}" for i in range(layers)]
        rows = {
            "variable": [Row(f"{n}/{r}", n, r, 64) for n in names for r in ("kernel", "bias")],
            "activation": [Row(n, n, "hidden", 64, "relu") for n in names],
            "run": [Row("")],
        }
        slots: dict[Any, Slot] = {}
        start = 0
        for signal in signals:
            spec = signal.spec
            if spec.axis in rows and signal.phase in IN_THE_STEP:
                slot = Slot(spec.name, tuple(row.name for row in rows[spec.axis]), start)
                slots[spec.name] = slot
                start += len(slot.rows)
        known = {axis: {row.name: row for row in rows[axis]} for axis in ("variable", "activation")}
        self.columns = start
        self.ring = Ring(slots, capacity)
        self.instrument = Rows(known)  # type: ignore[arg-type]
        self.printed: list[str] = []
        self.stops = 0
        self.actions = ActionRunner(actions, self._stop, self.printed.append)
        self.session = Session(
            RunWriter(log_dir),
            signals=signals,
            recorder=self.ring,  # type: ignore[arg-type]
            instrument=self.instrument,  # type: ignore[arg-type]
            folder=WindowFolder(10, budget),
            engine_options={} if rules is None else {"rules": rules},
            echo=self.printed.append,
            first_step=first_step,
            actions=self.actions,
        )

    def healthy(self, steps: int) -> Array:
        """Returns float32 `[steps, columns]` on which no rule has anything to say."""
        rows = np.full((steps, self.columns), 0.01, np.float32)
        for name, slot in self.ring.slots.items():
            if "nonfinite" in name or "fraction" in name:
                rows[:, slot.columns] = 0
            elif name in ("activation_gain", "activation_slope"):
                rows[:, slot.columns] = 0.7
            elif name == "update_ratio":
                rows[:, slot.columns] = 1e-3
        rows[:, self.column("loss")] = np.linspace(0.5, 0.4, steps)
        return rows

    def _stop(self) -> None:
        self.stops += 1

    def column(self, signal: str) -> int:
        """Returns the first column of a signal."""
        return self.ring.slots[signal].start

    def take(self, rows: Array, at_once: int = 1) -> None:
        """Takes steps with these measurements, `at_once` between two looks of the session."""
        for start in range(0, len(rows), at_once):
            chunk = rows[start : start + at_once]
            self.ring.unread.append(chunk)
            self.session.after_steps(len(chunk))
