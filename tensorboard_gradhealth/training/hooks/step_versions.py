"""The function of a hand-written step, in a version that measures less.

A `tf.function` keeps measuring what it measured when it was traced. So the steps that leave out
what is costly call another `tf.function` over the same Python function, traced when it is first
called.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tensorboard_gradhealth.training.hooks.traces import only_once


class StepVersions:
    """Knows, of each function that took a step, the version that measures less."""

    def __init__(self) -> None:
        self._lean: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._traced_inside = False

    def lean(self, function: Callable[..., Any]) -> Callable[..., Any] | None:
        """Returns what to call instead of `function` where little is measured.

        Returns:
          `None` if it must be called itself, in a step that is measured in full: it has not taken
          one yet, or a second trace of it would not be the same step.
        """
        if _is_traced(function):
            version: Callable[..., Any] | None = self._lean.get(function)
            return version
        return None if self._traced_inside else function

    def taken(self, function: Callable[..., Any], graph: Any) -> None:
        """Says that `function` took a step that was measured in full.

        Args:
          function: It.
          graph: What it was traced into in this step; `None` if it was not.
        """
        if not _is_traced(function):
            # A plain function that calls a `tf.function`, which can be had in one version only.
            self._traced_inside |= graph is not None
        elif graph is not None and function not in self._lean:
            clone = getattr(function, "_clone", None)  # private: it may be gone in a later version
            self._lean[function] = None if clone is None or only_once(graph) else clone(None)


def _is_traced(function: Any) -> bool:
    return isinstance(function, tf.types.experimental.PolymorphicFunction)
