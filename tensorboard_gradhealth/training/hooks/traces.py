"""What the trace of a step tells: whether it is another one, and whether there may be another."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_ONLY_ONCE = (
    "Random",
    "TruncatedNormal",
    "ParameterizedTruncatedNormal",
    "Multinomial",
    "Collective",
)
"""How operations begin that a second trace would not repeat.

Random numbers of TensorFlow's old operations would begin anew, since their state is hidden in the
trace (Keras' layers and `tf.random.Generator` keep theirs in variables). Collective operations of
several workers find each other by numbers that are given out as they are traced, and only the chief
traces a second time.
"""


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


def only_once(graph: Any) -> bool:
    """Whether a second trace of the same step would not be the same."""
    definition = graph.as_graph_def()
    functions = (node.op for each in definition.library.function for node in each.node_def)
    operations = {*(node.op for node in definition.node), *functions}
    return any(name.startswith(_ONLY_ONCE) for name in operations)
