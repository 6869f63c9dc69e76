"""What TensorBoard's Debugger V2 costs per step: `python -m benchmarks.debugger_v2`.

It cannot be switched on and off within a process, so plain training and training under it
(`CONCISE_HEALTH`, the cheapest mode that knows NaN) take turns as processes of their own. What is
printed is the ratio of the shortest CPU times per step. A process that does not end in time is
stopped, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.networks import NETWORKS

WARM_UP, STEPS, PARTS = 10, 10, 5


def step_time(network: str, debugged: bool) -> float:
    """Returns the shortest CPU time per step, in seconds, of a few parts of a training."""
    import keras
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as log_dir:
        if debugged:
            tf.debugging.experimental.enable_dump_debug_info(
                log_dir, tensor_debug_mode="CONCISE_HEALTH", circular_buffer_size=-1
            )
        keras.utils.set_random_seed(0)
        model, batch = NETWORKS[network]()
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
        data = tf.data.Dataset.from_tensors(batch).cache().repeat()
        model.fit(data, steps_per_epoch=WARM_UP, verbose=0)
        times = []
        for _ in range(PARTS):
            started = time.process_time()
            model.fit(data, steps_per_epoch=STEPS, verbose=0)
            times.append((time.process_time() - started) / STEPS)
        return min(times)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--limit", type=float, default=240, help="seconds per process")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(step_time(options.one[0], options.one[1] == "debugger")))
        return
    print("| network | Debugger V2, CONCISE_HEALTH |\n|---|---|")
    for network in options.networks:
        try:
            ratio = f"{_ratio(network, options.rounds, options.limit):.2f}"
        except subprocess.TimeoutExpired:
            ratio = f"did not end within {options.limit:.0f} s"
        print(f"| {network} | {ratio} |", flush=True)


def _ratio(network: str, rounds: int, limit: float) -> float:
    pairs = [
        [_process(network, arm, limit) for arm in ("plain", "debugger")] for _ in range(rounds)
    ]
    plain, debugged = (min(times) for times in zip(*pairs, strict=True))
    return float(debugged / plain)


def _process(network: str, arm: str, limit: float) -> float:
    command = [sys.executable, "-m", "benchmarks.debugger_v2", "--one", network, arm]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit)
    return float(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
