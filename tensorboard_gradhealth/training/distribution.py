"""Which replica of a distributed step is looked at, and what all of them add up to.

The first replica speaks for all: they hold the same weights and their batches are drawn alike. What
differs between them and must not be missed, gradients and loss, is read after it was added up
(docs/adr/0007-one-replica-speaks-for-all.md).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any


def replicas() -> int:
    """Returns how many replicas take each step together; 1 without `tf.distribute`."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def is_first() -> bool:
    """Whether this code runs in the first replica, or in none at all."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return True
    return bool(tf.get_static_value(context.replica_id_in_sync_group) == 0)


def is_first_part(variable: Any) -> bool:
    """Whether a variable is the first replica's part of a mirrored one, or not mirrored."""
    whole = container(variable)
    return whole is variable or getattr(whole, "values", [variable])[0] is variable


def container(variable: Any) -> Any:
    """Returns the mirrored variable that a replica's variable is a part of, or the argument."""
    holders: tuple[Any, ...] = (variable, getattr(variable, "handle", None))
    for holder in holders:
        if hasattr(holder, "_distributed_container"):
            return holder._distributed_container()
    return variable


def unseen(strategy: Any) -> dict[str, str]:
    """Returns what `fit` with this strategy leaves unmeasured: reason by what it is."""
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        reason = "Keras 3 cannot fit with MultiWorkerMirroredStrategy (keras-team/keras#20585)"
        return {"a fit by several workers": reason}
    count = int(strategy.num_replicas_in_sync)
    if count == 1:
        return {}
    if not isinstance(strategy, tf.distribute.MirroredStrategy):
        name = type(strategy).__name__
        return {f"a fit with {name}": "of several replicas only MirroredStrategy is supported"}
    reason = f"the first of {count} replicas stands for all; gradients and loss are of all"
    return {"activations, inputs and labels of the other replicas": reason}


def total(value: Tensor) -> Tensor:
    """Returns the sum over all replicas; all of them must ask for it."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
