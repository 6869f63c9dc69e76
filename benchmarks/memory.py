"""Peak memory of a training with the monitor and without: `python -m benchmarks.memory`.

The network has few examples and large variables, so that a copy of one shows. Each arm is a process
of its own; its peak is the operating system's. TensorFlow frees a few gradients sooner or later as
its threads happen to run, in plain training too: so each arm has several processes, in turns, and
their median counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

LAYERS, UNITS, STEPS = 8, 4096, 24
LARGEST = UNITS * UNITS * 4
ARMS = ("plain", "light", "standard")


def peak(arm: str) -> int:
    """Trains in this process and returns its peak memory in bytes."""
    import keras
    import numpy as np

    import tensorboard_gradhealth as gradhealth

    layers = [keras.layers.Dense(UNITS, activation="relu") for _ in range(LAYERS)]
    model = keras.Sequential([keras.Input((UNITS,)), *layers])
    model.compile("adam", "mse")
    x = np.ones((4 * STEPS, UNITS), "float32")
    with tempfile.TemporaryDirectory() as log_dir:
        callbacks = []
        if arm != "plain":
            callbacks = [gradhealth.HealthCallback(log_dir, preset=arm, verbose=0)]
        model.fit(x, x, batch_size=4, verbose=0, callbacks=callbacks)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--one", choices=ARMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(peak(options.one)))
        return
    taken = [{arm: _process(arm) for arm in ARMS} for _ in range(options.rounds)]
    peaks = {arm: statistics.median(peaks[arm] for peaks in taken) for arm in ARMS}
    print(f"{LAYERS} variables of {LARGEST / 1e6:.0f} MB, trained by Adam")
    print("| arm | peak memory | more than plain, in variables |\n|---|---|---|")
    for arm, size in peaks.items():
        more = (size - peaks["plain"]) / LARGEST
        print(f"| {arm} | {size / 1e6:.0f} MB | {more:+.2f} |")


def _process(arm: str) -> int:
    command = [sys.executable, "-m", "benchmarks.memory", "--one", arm]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
