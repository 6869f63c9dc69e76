"""Keeps a fault of ours out of the user's training."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import traceback
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from tensorboard_gradhealth.curvature.reasons import NotMeasurable
from tensorboard_gradhealth.signals._base import Signal
from tensorboard_gradhealth.types import NOT_MEASURED

_LIBRARIES = (os.path.dirname(os.path.dirname(__file__)), os.path.dirname(os.__file__), "<")


class MonitorWarning(UserWarning):
    """Something of the run cannot be measured; training goes on unharmed."""


class Guard:
    """Reports each kind of trouble once and lets training go on.

    Attributes:
      reports: What was reported so far, by the name of what failed.
    """

    def __init__(self) -> None:
        self.reports: dict[str, str] = {}

    @contextlib.contextmanager
    def protect(self, what: str) -> Iterator[None]:
        """Swallows and reports whatever goes wrong inside while doing `what`."""
        try:
            yield
        except NotMeasurable as reason:
            self.reports.setdefault(what, str(reason))  # nothing went wrong: no warning
        except Exception as error:  # the one place that must catch everything
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
            self.report(what, f"{type(error).__name__}: {error} ({where})")

    def shield(self, signals: Iterable[Signal]) -> list[Signal]:
        """Returns the same signals; one that raises is reported, and not measured from then on."""
        return [
            dataclasses.replace(signal, measure=functools.partial(self._measure, signal))
            for signal in signals
        ]

    def _measure(self, signal: Signal, context: Any) -> Any:
        if signal.spec.name not in self.reports:
            with self.protect(signal.spec.name):
                return signal.measure(context)
        if signal.phase in ("feature", "class"):
            return context.before
        return NOT_MEASURED if signal.phase == "start" else None

    def report(self, what: str, reason: str) -> None:
        """Says once that `what` is not measured, and why."""
        if what not in self.reports:
            self.reports[what] = reason
            text = f"Gradient Health cannot measure {what}: {reason}. Training goes on."
            # With a registry of its own: the next run is to hear of it, too.
            warnings.warn_explicit(text, MonitorWarning, *_users_line(), registry={})


def _users_line() -> tuple[str, int]:
    """Returns file and line of the innermost call that is not in a library."""
    for frame, line in traceback.walk_stack(None):
        file = frame.f_code.co_filename
        if not (file.startswith(_LIBRARIES) or "site-packages" in file):
            return file, line
    return __file__, 0
