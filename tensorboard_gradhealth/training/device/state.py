"""Variables of the monitor's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf

from tensorboard_gradhealth.training.model import distribution


def state_variable(initial: Any, name: str) -> Any:
    """Returns a new `tf.Variable`, also while a `tf.function` is being traced.

    `tf.function` traces a function a second time once it has seen it create a variable, which
    would double the time until the first step. A thread of its own has no trace to be seen by.
    """
    device = distribution.device()

    def make() -> Any:
        with tf.device(device):
            return tf.Variable(initial, trainable=False, name=f"gradhealth_{name}")

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()
