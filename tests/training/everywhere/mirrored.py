"""Trains on two logical CPUs and on one, and prints as JSON what was recorded of each.

A program of its own, because devices can only be split before TensorFlow first uses them.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tests.training import models
from tests.training.everywhere.cases import BATCH, SAMPLES


def adam_w() -> Any:
    """An optimizer with weight decay."""
    return keras.optimizers.AdamW(1e-2)


def clipping() -> Any:
    """An optimizer that clips."""
    return keras.optimizers.SGD(0.1, clipnorm=0.2)


def scaling() -> Any:
    """An optimizer that applies gradients in a branch of the step."""
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))


def recorded(
    scope: Any,
    optimizer: Callable[[], Any] = adam_w,
    observed: bool = True,
    epochs: int = 1,
    **options: Any,
) -> dict[str, Any]:
    """Returns signals `[steps][rows]` by name, weights, and what was not measured."""
    keras.utils.set_random_seed(1)
    x, y = models.data(SAMPLES)
    with scope, tempfile.TemporaryDirectory() as log_dir:
        model = models.nested()
        model.compile(optimizer(), "sparse_categorical_crossentropy")
        callbacks = []
        if observed:
            callbacks = [gradhealth.HealthCallback(log_dir, verbose=0, **options)]
        fitted = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
        model.fit(x, y, epochs=epochs, callbacks=callbacks, **fitted)
        result: dict[str, Any] = {"weights": [w.tobytes().hex() for w in model.get_weights()]}
        if observed:
            run = RunReader(open_log_dir(log_dir), None, "", ".")
            result["not_measured"] = dict(run.info().not_measured)
            result["activations"] = [row.name for row in run.info().rows["activation"]]
            for signal in {name for record in run.records() for name in record.signals}:
                values = [record.signals.get(signal) for record in run.records()]
                result[signal] = [v[:, 0].tolist() for v in values if v is not None]
    return result


def main() -> None:
    """Prints the three trainings: one device, two devices, two devices without the observer."""
    tf.config.experimental.enable_op_determinism()
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    curvature = {"preset": "full", "probe_data": models.data(SAMPLES)}
    runs = {
        "one curvature": recorded(contextlib.nullcontext(), epochs=4, **curvature),
        "two curvature": recorded(strategy.scope(), epochs=4, **curvature),
        "two curvature unobserved": recorded(strategy.scope(), observed=False, epochs=4),
        "one": recorded(contextlib.nullcontext()),
        "two": recorded(strategy.scope()),
        "two unobserved": recorded(strategy.scope(), observed=False),
        "two clipping": recorded(strategy.scope(), clipping),
        "one scaling": recorded(contextlib.nullcontext(), scaling),
        "two scaling": recorded(strategy.scope(), scaling),
    }
    json.dump(runs, sys.stdout)


if __name__ == "__main__":
    main()
