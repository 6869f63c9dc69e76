"""Variables of the monitor's own."""

from __future__ import annotations

import threading
from typing import Any

import tensorflow as tf

from tensorboard_gradhealth.training import distribution


def state_variable(initial: Any, name: str) -> Any:
    """Returns a new `tf.Variable`, also while a `tf.function` is being traced.

    `tf.function` traces a function a second time once it has seen it create a variable, which
    would double the time until the first step. A thread of its own has no trace to be seen by.
    """
    made: list[Any] = []
    device = distribution.device()

    def make() -> None:
        with tf.device(device):
            made.append(tf.Variable(initial, trainable=False, name=f"gradhealth_{name}"))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]
