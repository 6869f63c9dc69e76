"""Which replica of a distributed step is looked at, and what all of them add up to.

Weights are the same in all replicas, gradients and loss are read after they were added up: there
the first replica speaks for all. Each looks at its own part of the batch
(docs/adr/0007-replicas.md).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tensorboard_gradhealth.curvature.reasons import NotMeasurable

Tensor = Any


def replicas() -> int:
    """Returns how many replicas take each step together; 1 without `tf.distribute`."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def replica() -> int:
    """Returns the number of the replica that this code runs in; 0 in none at all."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 0
    number = tf.get_static_value(context.replica_id_in_sync_group)
    return -1 if number is None else int(number)


def device() -> str | None:
    """Returns the device of the replica that this code runs in; `None` if it is not one of many."""
    strategy = tf.distribute.get_strategy()
    if replicas() == 1 or tf.distribute.in_cross_replica_context():
        return None
    devices = strategy.extended.worker_devices
    return str(devices[replica()]) if 0 <= replica() < len(devices) else None


def is_first_part(variable: Any) -> bool:
    """Whether a variable is the first replica's part of a mirrored one, or not mirrored."""
    whole = container(variable)
    return whole is variable or getattr(whole, "values", [variable])[0] is variable


def container(variable: Any) -> Any:
    """Returns the mirrored variable that a replica's variable is a part of, or the argument."""
    if isinstance(variable, tf.distribute.DistributedValues):
        return variable  # outside of all replicas there are no parts
    holders: tuple[Any, ...] = (variable, getattr(variable, "handle", None))
    for holder in holders:
        if hasattr(holder, "_distributed_container"):
            return holder._distributed_container()
    return variable


def strategy_of(variable: Any) -> Any:
    """Returns the strategy that a variable was made under, or else the current one."""
    raw = getattr(variable, "value", variable)
    return getattr(raw, "distribute_strategy", None) or tf.distribute.get_strategy()


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
    return {}


def check_whole_batches(strategy: Any) -> None:
    """Raises NotMeasurable if each replica is given a part of the batch of its own."""
    if int(strategy.num_replicas_in_sync) > 1:
        raise NotMeasurable("the batch is spread over replicas")


def mirrored(strategy: Any) -> int:
    """Returns how many replicas of `strategy` this process alone traces, one after the other."""
    several_workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    if several_workers or not isinstance(strategy, tf.distribute.MirroredStrategy):
        return 1
    return int(strategy.num_replicas_in_sync)


def total(value: Tensor) -> Tensor:
    """Returns the sum over all replicas; all of them must ask for it."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
