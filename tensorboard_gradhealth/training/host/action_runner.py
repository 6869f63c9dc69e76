"""Calls the actions that were asked for, each once for each finding, and survives them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tensorboard_gradhealth.actions import Action
from tensorboard_gradhealth.training.guard import MonitorWarning
from tensorboard_gradhealth.types import Finding


class ActionRunner:
    """The `actions.Training` that actions are given, and the one who calls them.

    Attributes:
      model: See `actions.Training`, as with `step` and `findings`.

    Args:
      actions: In the order in which they are called.
      stop: Stops the training.
      say: Prints a message.
    """

    def __init__(
        self,
        actions: Sequence[Action] = (),
        stop: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.model: Any = None
        self.step = 0
        self.findings: Sequence[Finding] = ()
        self.say = say
        self.stop = stop
        self._actions = actions
        self._answered: set[tuple[int, str]] = set()
        self._failed: set[int] = set()

    def resume(self, findings: Sequence[Finding]) -> None:
        """Takes in what was found before: it calls for nothing."""
        self.findings = findings
        self._answered.update((i, finding.id) for i, finding in self._called_for())

    def run(self, findings: Sequence[Finding]) -> None:
        """Calls the actions that are new to one of the findings, root causes first."""
        self.findings = findings
        for i, finding in self._called_for():
            self._answered.add((i, finding.id))
            with self._reported(i):
                self._actions[i].act(finding, self)

    def watch(self, step: int) -> None:
        """Lets the actions look at the training between two steps.

        Args:
          step: Steps taken so far, those of earlier processes included.
        """
        self.step = step
        for i, action in enumerate(self._actions):
            with self._reported(i):
                action.watch(self)

    def _called_for(self) -> list[tuple[int, Finding]]:
        return [
            (i, finding)
            for finding in self.findings
            for i, action in enumerate(self._actions)
            if (i, finding.id) not in self._answered and action.answers(finding)
        ]

    @contextlib.contextmanager
    def _reported(self, i: int) -> Iterator[None]:
        """Reports the first fault of an action, and swallows all of them."""
        try:
            yield
        except Exception as error:  # whatever somebody's function raises must not stop a training
            if i not in self._failed:
                self._failed.add(i)
                text = (
                    f"Gradient Health called {self._actions[i].name}, which failed: "
                    f"{type(error).__name__}: {error}. Training goes on."
                )
                warnings.warn(text, MonitorWarning, stacklevel=2)
