"""Trains in a loop of its own with a strategy, and prints as JSON what was recorded.

A program of its own, because a strategy must be made before TensorFlow first uses its devices. Its
arguments are `one`, `mirrored` (two logical CPUs) or `workers` (of which TF_CONFIG tells), and the
log directory, which all workers are given; without one, nothing is observed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.training.model import distribution
from tests.logs import read_run
from tests.training import models
from tests.training.everywhere.cases import BATCH, SAMPLES


def main(kind: str, log_dir: str = "") -> None:
    """Trains, and prints signals as `[steps][rows]` by name, and the final weights."""
    strategy = STRATEGIES[kind]()
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = models.nested()
        optimizer = keras.optimizers.AdamW(1e-2)
        optimizer.build(model.trainable_variables)
    step = training_step(strategy, model, optimizer)
    batches = strategy.experimental_distribute_dataset(dataset())
    result: dict[str, Any] = {}
    if log_dir:
        watched: dict[str, Any] = {"model": model, "optimizer": optimizer, "verbose": 0}
        with gradhealth.HealthMonitor(log_dir, **watched) as monitor:
            for batch in batches:
                monitor.step(step, batch)
        result = recorded(log_dir) if strategy.extended.should_save_summary else {}
    else:
        for batch in batches:
            step(batch)
    result["weights"] = [weight.tobytes().hex() for weight in model.get_weights()]
    result["unseen by fit"] = distribution.unseen(strategy)
    json.dump(result, sys.stdout)


def recorded(log_dir: str) -> dict[str, Any]:
    """Returns what the log holds."""
    run = read_run(log_dir)
    names = run.records()[0].signals
    signals = {name: run.series(name).values[:, :, 0].tolist() for name in names}
    logs = [name for name in os.listdir(log_dir) if "tfevents" in name]
    return {"signals": signals, "reports": dict(run.info().not_measured), "logs": len(logs)}


def training_step(strategy: Any, model: keras.Model, optimizer: Any) -> Callable[[Any], Any]:
    """Returns a step over one global batch."""

    def replica_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(y, model(x, training=True))
            loss = tf.nn.compute_average_loss(losses, global_batch_size=BATCH)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    @tf.function
    def step(batch: Any) -> Any:
        return strategy.reduce("sum", strategy.run(replica_step, args=batch), axis=None)

    return step


def dataset() -> Any:
    """Returns global batches."""
    data = tf.data.Dataset.from_tensor_slices(models.data(SAMPLES)).batch(BATCH)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def mirrored() -> Any:
    """Returns a strategy over two logical CPUs."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, parts)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


STRATEGIES: dict[str, Callable[[], Any]] = {
    "one": tf.distribute.get_strategy,
    "mirrored": mirrored,
    "workers": tf.distribute.MultiWorkerMirroredStrategy,
}


if __name__ == "__main__":
    tf.config.experimental.enable_op_determinism()
    main(*sys.argv[1:])
