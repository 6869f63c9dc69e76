"""What a run of the gallery is, and an illness with its cure."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras


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


@dataclasses.dataclass(frozen=True)
class Illness:
    """A training that can be run sick, or with the fix that the finding names.

    Attributes:
      name: Of the log directory of the sick run.
      story: What is wrong, in one sentence.
      train: Trains with the given Keras callbacks: with the fix if the first argument is true.
      root_cause: Name of the rule that must come first.
      cure: What the fix changes, in one sentence.
      fix: The code of that fix, or a part of it, as the finding gives it.
      consequences: Rules that must be told as consequences of the root cause.
      options: What the callback is told beside the log directory.
    """

    name: str
    story: str
    train: Callable[[bool, list[Any]], Any]
    root_cause: str
    cure: str
    fix: str
    consequences: tuple[str, ...] = ()
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def sick(self) -> DemoRun:
        train = functools.partial(_seeded, self.train, False)
        return DemoRun(
            self.name, self.story, train, self.root_cause, self.consequences, self.options
        )

    @property
    def fixed(self) -> DemoRun:
        name = self.name.removesuffix("/sick") + "/fixed"
        train = functools.partial(_seeded, self.train, True)
        return DemoRun(name, self.cure, train, options=self.options)


def _seeded(
    train: Callable[[bool, list[Any]], Any], fixed: bool, callbacks: list[Any], seed: int
) -> None:
    keras.utils.set_random_seed(seed)
    train(fixed, callbacks)


def runs(illnesses: Iterable[Illness]) -> tuple[DemoRun, ...]:
    """Returns each sick run with its cure behind it."""
    return tuple(run for illness in illnesses for run in (illness.sick, illness.fixed))
