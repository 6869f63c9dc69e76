"""Trains by hand, with and without the monitor, and compares the weights byte by byte.

A program of its own, because op determinism cannot be switched off again in a process.
"""

from __future__ import annotations

import sys
import tempfile

import keras
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tests.training import loops

MODELS = ("mlp", "cnn", "residual", "subclassed")
STEPS = 62  # past the first ones, which are all measured in full
MODES = ("eager", "graph")  # XLA fuses anew whatever is added to a step, and then rounds anew


def final_weights(name: str, mode: str, observed: bool) -> bytes:
    keras.backend.clear_session()
    loop = loops.Loop(name, mode)
    if not observed:
        for x, y in loops.batches(STEPS):
            loop.step(x, y)
        return loop.weights()
    with (
        tempfile.TemporaryDirectory() as log_dir,
        gradhealth.HealthMonitor(
            log_dir, model=loop.model, optimizer=loop.optimizer, verbose=0
        ) as monitor,
    ):
        for x, y in loops.batches(STEPS):
            monitor.step(loop.step, x, y)
        assert not monitor._guard.reports, monitor._guard.reports
    return loop.weights()


def main() -> int:
    tf.config.experimental.enable_op_determinism()
    different = []
    for name in MODELS:
        for mode in MODES:
            same = final_weights(name, mode, False) == final_weights(name, mode, True)
            print(f"{name}, {mode}: {'identical' if same else 'DIFFERENT'}", flush=True)
            if not same:
                different.append((name, mode))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
