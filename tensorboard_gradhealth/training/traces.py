"""Notices that a step is being traced once more."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class Traces:
    """Follows which `tf.function` the hooks are called in.

    A function that creates variables when it first runs, such as those of an optimizer, is traced
    twice within that step: what was seen in the first trace must not be counted again.
    """

    def __init__(self) -> None:
        self._graph: Any = None

    def begin(self) -> None:
        """Forgets the step before."""
        self._graph = None

    def again(self) -> bool:
        """Whether this is another trace of the function that it was called from last."""
        before, self._graph = self._graph, outermost_function()
        if before is None or self._graph is None:
            return False
        return self._graph is not before and bool(self._graph.name == before.name)


def outermost_function() -> Any:
    """Returns the graph of the function that is being traced; `None` where nothing is."""
    if tf.executing_eagerly():
        return None
    graph = tf.compat.v1.get_default_graph()
    while getattr(getattr(graph, "outer_graph", None), "outer_graph", None) is not None:
        graph = graph.outer_graph
    return graph
