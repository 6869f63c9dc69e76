"""Time until the first step is done, with the monitor and without: `python -m benchmarks.set_up`.

Tracing and compiling happen once in a process, so each reading is a process of its own. The arms
take turns; what is printed is the ratio of their shortest times.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.networks import NETWORKS

PRESETS = ("light", "standard", "full")


def first_step(network: str, arm: str, jit: bool) -> float:
    """Returns how long `fit` takes for one step, in seconds."""
    import keras

    import tensorboard_gradhealth as gradhealth

    keras.utils.set_random_seed(0)
    model, (x, y) = NETWORKS[network]()
    # Without a metric Keras traces a step twice, and the monitor spares it that.
    loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
    model.compile("adam", loss, metrics=metrics, jit_compile=jit)
    with tempfile.TemporaryDirectory() as log_dir:
        callbacks = []
        if arm in PRESETS:
            callbacks = [gradhealth.HealthCallback(log_dir, preset=arm, verbose=0)]
        started = time.perf_counter()
        model.fit(x, y, batch_size=len(x), verbose=0, callbacks=callbacks)
        return time.perf_counter() - started


def reading(network: str, arm: str, jit: bool) -> float:
    """Returns the same from a new process."""
    command = [sys.executable, "-m", "benchmarks.set_up", "--one", network, arm, str(int(jit))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--jit", type=int, nargs="+", choices=(0, 1), default=(0,))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        network, arm, jit = options.one
        print(json.dumps(first_step(network, arm, bool(int(jit)))))
        return
    print("| network | compiled by XLA | arm | until the first step is done |\n|---|---|---|---|")
    for network, jit in itertools.product(options.networks, options.jit):
        arms = ("plain", *PRESETS)
        times = {arm: [] for arm in arms}  # type: dict[str, list[float]]
        for _ in range(options.rounds):
            for arm in arms:
                times[arm].append(reading(network, arm, bool(jit)))
        plain = min(times["plain"])
        print(f"| {network} | {bool(jit)} | plain | {plain:.2f} s |")
        for arm in PRESETS:
            print(
                f"| {network} | {bool(jit)} | {arm} | {min(times[arm]) / plain:.2f} x |", flush=True
            )


if __name__ == "__main__":
    main()
