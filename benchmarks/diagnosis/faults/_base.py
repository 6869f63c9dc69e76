"""What a fault is, and how it comes into a training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.data import Array
from benchmarks.diagnosis.setups import Change, changed


@dataclasses.dataclass(frozen=True)
class Fault:
    """One mistake.

    Attributes:
      name: In snake_case.
      what: The mistake in a few words.
      on: Bodies and tasks that it is injected into, as `body/task`.
      change: Injects it.
      expected: Names of the rules that tell the root cause.
      layer: Regular expression of the layers that are to blame; "" if the fault has no place.
      begins: Step at which it is there.
    """

    name: str
    what: str
    on: str
    change: Change
    expected: tuple[str, ...]
    layer: str = ""
    begins: int = 0


def inputs(change: Callable[[Array, np.random.Generator], Array], **others: Any) -> Change:
    """Changes the inputs, all of them in the same way."""
    prepare = (lambda data, random: data.each_x(lambda x: change(x, random)),)
    return changed(prepare=prepare, **others)
