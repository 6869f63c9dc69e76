"""What measuring costs per training step: `python -m benchmarks.overhead`.

All arms train the same network in one process and take turns, a few steps each, so that a machine
that is busy with something else slows all of them alike. Then they are built anew: where the memory
of an arm lies is chance, and makes two equal ones differ by up to 3 %. What counts is CPU time. Of
each arm three ratios to plain training are printed: of the shortest rounds, the median of the
rounds' own, and of all rounds together. Only the last one has the rare looks of `full` at the
curvature in it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from benchmarks.networks import NETWORKS

ARMS = ("light", "standard", "full", "tf.summary.scalar", "tf.summary.histogram, 1 step in 10")
PRESETS = ("light", "standard", "full")

WARM_UP = 60
"""Steps before the clock starts: tracing, and the first 51 steps, which are logged one by one."""


class Arm:
    """One way to train the network, advanced a few steps at a time."""

    def __init__(self, name: str, network: str, log_dir: Path, jit: bool) -> None:
        keras.utils.set_random_seed(0)
        self.name = name
        model, batch = NETWORKS[network]()
        if name.startswith("tf.summary"):
            model = _summarised(model, log_dir, histograms="histogram" in name)
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        callbacks = []
        if name in PRESETS:
            callbacks = [gradhealth.HealthCallback(log_dir, preset=name, verbose=0)]
        model._symbolic_build(data_batch=batch)
        self._callbacks = keras.callbacks.CallbackList(callbacks, model=model, epochs=1, steps=None)
        model.make_train_function()
        self._callbacks.on_train_begin()
        self._callbacks.on_epoch_begin(0)
        data = tf.data.Dataset.from_tensors(batch).cache().repeat()
        self._iterator = iter(data)
        self._model = model
        self._steps: Iterator[int] = itertools.count()

    def run(self, steps: int) -> float:
        """Trains and returns the CPU time per step, in seconds."""
        started = time.process_time()
        for step in itertools.islice(self._steps, steps):
            self._callbacks.on_train_batch_begin(step)
            logs = self._model.train_function(self._iterator)
            self._callbacks.on_train_batch_end(step, logs)
        return (time.process_time() - started) / steps


def _summarised(model: keras.Model, log_dir: Path, histograms: bool) -> keras.Model:
    """Returns the model with the gradients logged by hand, as one would without this package."""
    writer = tf.summary.create_file_writer(str(log_dir))

    class Summarised(keras.Model):
        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            step = tf.cast(self.optimizer.iterations.value, tf.int64)
            due = tf.equal(step % 10, 0) if histograms else True
            with writer.as_default(), tf.summary.record_if(due):
                for gradient, variable in zip(gradients, self.trainable_variables, strict=True):
                    if histograms:
                        tf.summary.histogram(variable.path, tf.convert_to_tensor(gradient), step)
                    else:
                        tf.summary.scalar(variable.path, tf.linalg.global_norm([gradient]), step)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

    return Summarised(model.inputs, model.outputs)


def measure(
    network: str, names: Sequence[str], rounds: int, steps: int, jit: bool
) -> list[dict[str, float]]:
    """Returns the CPU time per step in seconds, by arm, of each round."""
    with tempfile.TemporaryDirectory() as directory:
        arms = [Arm(name, network, Path(directory) / str(i), jit) for i, name in enumerate(names)]
        for arm in arms:
            arm.run(WARM_UP)
        return [{arm.name: arm.run(steps) for arm in arms} for _ in range(rounds)]


def compare(options: argparse.Namespace, network: str, jit: bool) -> None:
    """Prints the rows of one network."""
    # Summaries cannot be compiled by XLA.
    names = [name for name in options.arms if not (jit and name.startswith("tf.summary"))]
    times: list[dict[str, float]] = []
    for build in range(options.builds):
        order = names[::-1] if build % 2 else names
        times += measure(network, ["plain", *order], options.rounds, options.steps, jit)
    plain = [taken["plain"] for taken in times]
    print(f"| {network} | {jit} | plain, {1000 * min(plain):.1f} ms | 1 | 1 | 1 |")
    for name in names:
        own = [taken[name] for taken in times]
        middle = statistics.median(t / p for t, p in zip(own, plain, strict=True))
        figures = f"{min(own) / min(plain):.3f} | {middle:.3f} | {sum(own) / sum(plain):.3f}"
        print(f"| {network} | {jit} | {name} | {figures} |", flush=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=2, help="of all arms, one after the other")
    parser.add_argument("--rounds", type=int, default=30, help="of each build")
    parser.add_argument("--steps", type=int, default=10, help="per arm and round")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--jit", type=int, nargs="+", choices=(0, 1), default=(0, 1))
    options = parser.parse_args()
    print("| network | compiled by XLA | arm | shortest rounds | median round | all |")
    print("|---|---|---|---|---|---|")
    for network, jit in itertools.product(options.networks, options.jit):
        compare(options, network, bool(jit))


if __name__ == "__main__":
    main()
