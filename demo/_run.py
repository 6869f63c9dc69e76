"""What a run of the gallery is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class DemoRun:
    """One training.

    Attributes:
      name: Of its log directory; a slash puts runs that belong together beside each other.
      story: What it shows, in one sentence.
      train: Trains with the given Keras callbacks; `seed` decides data, weights and order.
      root_cause: Name of the rule that must come first; "" for a run that must be silent.
      consequences: Rules that must be told as its consequences.
      options: What the callback is told beside the log directory.
    """

    name: str
    story: str
    train: Callable[[list[Any], int], Any]
    root_cause: str = ""
    consequences: tuple[str, ...] = ()
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
