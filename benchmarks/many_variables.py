"""A training of 10,000 variables whose rows are grouped: `python -m benchmarks.many_variables`.

The model mixes many small experts, as a sparse one does with few of them. Tracing happens once in a
process, so each arm is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from benchmarks.served import Page, megabytes, milliseconds, served
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir

BLOCKS, WIDTH, BATCH, STEPS = 10, 8, 32, 100


class Experts(keras.layers.Layer):
    """Adds to its input what its experts make of it, each by its share."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._count = count

    def build(self, input_shape: Any) -> None:
        """Makes two variables for each expert."""
        names = [f"expert_{i}" for i in range(self._count)]
        self._kernels = [self.add_weight((WIDTH, WIDTH), name=f"{n}_kernel") for n in names]
        self._biases = [self.add_weight((WIDTH,), "zeros", name=f"{n}_bias") for n in names]

    def call(self, x: Any) -> Any:
        """Maps `[batch, width]` to the same."""
        kernels, biases = (tf.stack([+v for v in vs]) for vs in (self._kernels, self._biases))
        answers = tf.nn.relu(tf.einsum("bi,eij->bej", x, kernels) + biases)
        shares = tf.nn.softmax(tf.reduce_sum(answers, axis=2))
        return x + tf.einsum("be,bej->bj", shares, answers)


def train(variables: int, log_dir: str) -> dict[str, float]:
    """Returns seconds: of the first step, and of each that follows; "" observes nothing."""
    keras.utils.set_random_seed(0)
    hidden = inputs = keras.Input((WIDTH,))
    for block in range(BLOCKS):
        hidden = Experts(variables // BLOCKS // 2, name=f"block_{block}")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="head")(hidden))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    random = np.random.default_rng(0)
    x = random.normal(size=(STEPS * BATCH, WIDTH)).astype(np.float32)
    y = random.integers(0, 3, len(x))
    times = [time.perf_counter()]
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: times.append(time.perf_counter())
    )
    callbacks = [clock]
    if log_dir:
        callbacks.insert(
            0, gradhealth.HealthCallback(log_dir, preset="light", group_by=1, verbose=0)
        )
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=callbacks)
    return {"first": times[1] - times[0], "step": float(np.median(np.diff(times[1:])))}


def measure_many_variables(folder: Path, variables: int) -> None:
    """Prints what set-up, steps, log and map take."""
    command = [sys.executable, "-m", "benchmarks.many_variables", "--one", str(variables)]
    print(f"\n## A training of {variables:,} variables, `light`, grouped by block\n")
    print("| | first step | a step |\n|---|---|---|")
    for arm, log_dir in (("unobserved", ""), ("observed", str(folder / "run"))):
        done = subprocess.run([*command, log_dir], capture_output=True, text=True, check=True)
        times = json.loads(done.stdout.splitlines()[-1])
        print(f"| {arm} | {times['first']:.1f} s | {1e3 * times['step']:.0f} ms |")
    rows = RunReader(open_log_dir(folder), None, "", "run").info().rows["variable"]
    with served(folder) as server:
        page = Page(server, "run")
        first = milliseconds(lambda: page.map("gradient_norm"))
    print(f"\n{len(rows)} rows: {', '.join(row.name for row in rows[:2])}, ...")
    print(f"log of {STEPS} steps {megabytes(folder / 'run'):.2f} MB, ", end="")
    print(f"map {page.received / 1e3:.1f} kB in {first:.0f} ms")


def main() -> None:
    """Trains as one of the arms."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--one", nargs=2, metavar=("VARIABLES", "LOG_DIR"), required=True)
    variables, log_dir = parser.parse_args().one
    print(json.dumps(train(int(variables), log_dir)))


if __name__ == "__main__":
    main()
