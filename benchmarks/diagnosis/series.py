"""What the published rules need of a run, measured apart from Gradient Health.

The published tools look at the gradients, weights and outputs of one batch now and then, and at
Keras' logs at the end of an epoch.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diagnosis.data import Array
from benchmarks.diagnosis.measures import ACTIVATION, VARIABLE


@dataclasses.dataclass(frozen=True)
class Series:
    """One run: `S` records, `V` kernels and `A` activations in network order, `E` epochs.

    Attributes:
      steps: int `[S]`.
      loss: `[S]`, of the batch that is looked at.
      variables: `[S, V, len(VARIABLE)]`.
      activations: `[S, A, len(ACTIVATION)]`.
      epochs: `[E]` by name of Keras' logs; `step` is the last of the epoch.
      facts: Of inputs, labels, head, loss and optimizer.
    """

    steps: Array
    loss: Array
    variables: Array
    activations: Array
    epochs: Mapping[str, Array]
    facts: Mapping[str, Any]

    def variable(self, name: str) -> Array:
        """Returns `[S, V]` of a name in `VARIABLE`."""
        return self._column(self.variables, VARIABLE.index(name))

    def activation(self, name: str) -> Array:
        """Returns `[S, A]` of a name in `ACTIVATION`."""
        return self._column(self.activations, ACTIVATION.index(name))

    def _column(self, table: Array, index: int) -> Array:
        return table[:, :, index] if table.size else np.zeros((len(self.steps), 0))

    def save(self, path: Path) -> None:
        """Writes all of it into one `.npz` file."""
        arrays: dict[str, Any] = {
            "steps": self.steps,
            "loss": self.loss,
            "variables": self.variables,
            "activations": self.activations,
            "facts": np.array(json.dumps(self.facts)),
        }
        arrays |= {f"epochs/{name}": values for name, values in self.epochs.items()}
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Series:
        """The inverse of `save`."""
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(str(arrays.pop("facts")))
        names = [name for name in arrays if name.startswith("epochs/")]
        epochs = {name.removeprefix("epochs/"): arrays.pop(name) for name in names}
        return cls(**arrays, epochs=epochs, facts=facts)
