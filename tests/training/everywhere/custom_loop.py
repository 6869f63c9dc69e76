"""Trains in a loop of its own with a strategy, and prints as JSON what was recorded.

A program of its own, because a strategy must be made before TensorFlow first uses its devices. Its
argument is `one`, `mirrored` (two logical CPUs) or `workers` (of which TF_CONFIG tells).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.signals import preset_signals
from tensorboard_gradhealth.signals._base import StepContext
from tensorboard_gradhealth.training import distribution
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.instrument import Instrument
from tensorboard_gradhealth.training.optimizer_hooks import OptimizerHooks
from tensorboard_gradhealth.training.patches import Patches
from tensorboard_gradhealth.training.recorder import StepRecorder
from tests.training import models
from tests.training.everywhere.cases import BATCH, SAMPLES


def main(kind: str) -> None:
    """Trains, and prints signals as `[steps][rows]` by name and how many records were made."""
    strategy = STRATEGIES[kind]()
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = models.nested()
        model.compile(keras.optimizers.AdamW(1e-2))
        model.optimizer.build(model.trainable_variables)
    guard = Guard()
    recorder = StepRecorder(64, lambda reason: guard.report("the step", reason))
    hooks = OptimizerHooks(model, Instrument(preset_signals("standard"), recorder), recorder, guard)
    hooks.install(Patches())
    step = training_step(strategy, model, hooks, recorder)
    for batch in strategy.experimental_distribute_dataset(dataset()):
        step(batch)
    _, rows = recorder.read()
    signals: dict[str, Any] = {}
    for (signal, _), slot in recorder.slots.items():
        signals[signal] = rows[:, slot.columns].tolist()
    weights = [weight.tobytes().hex() for weight in model.get_weights()]
    result = {"signals": signals, "reports": guard.reports, "weights": weights}
    result["chief"] = strategy.extended.should_save_summary
    result["unseen by fit"] = distribution.unseen(strategy)
    json.dump(result, sys.stdout)


def training_step(
    strategy: Any, model: keras.Model, hooks: OptimizerHooks, recorder: StepRecorder
) -> Callable[[Any], None]:
    """Returns a step over one global batch."""

    def replica_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(y, model(x, training=True))
            loss = tf.nn.compute_average_loss(losses, global_batch_size=BATCH)
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss

    @tf.function
    def step(batch: Any) -> None:
        recorder.begin()
        hooks.begin()
        loss = strategy.reduce("sum", strategy.run(replica_step, args=batch), axis=None)
        hooks._instrument.step(StepContext(loss, hooks.learning_rate))
        recorder.commit()
        recorder.end()

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
    main(sys.argv[1])
