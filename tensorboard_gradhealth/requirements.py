"""Oldest versions of others that this package works with; what is older is refused in one sentence.

An installer sees to that from the bounds in setup.py. This is for what was installed against its
advice, and for what only shows when a program runs: which Keras, and on which backend.
"""

from __future__ import annotations

import re
from importlib import import_module

LOWEST = {"TensorFlow": (2, 17), "Keras": (3, 4), "TensorBoard": (2, 17)}


def need(title: str, version: str) -> None:
    """Refuses a version that is too old; takes one that it cannot read.

    Raises:
      ImportError: The version is below the lowest one of `title`.
    """
    lowest = LOWEST[title]
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) < lowest:
        raise ImportError(
            f"tensorboard_gradhealth needs {title} {lowest[0]}.{lowest[1]} or newer, and {version} "
            f"is installed: pip install --upgrade {title.lower()}"
        )


def need_training() -> None:
    """Refuses a TensorFlow or Keras that is too old, and a Keras that does not run on TensorFlow.

    Raises:
      ImportError: One of them is so.
      ModuleNotFoundError: One of them is not installed.
    """
    tensorflow, keras = import_module("tensorflow"), import_module("keras")
    need("TensorFlow", tensorflow.__version__)
    need("Keras", keras.__version__)
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ImportError(
            f"tensorboard_gradhealth measures Keras on TensorFlow, and Keras runs on {backend!r} "
            "here: set KERAS_BACKEND=tensorflow, or log arrays with gradhealth.summary.*_pb"
        )
