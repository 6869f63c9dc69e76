"""Which versions are tried together: all oldest, all newest, and the edges of each in between."""

from __future__ import annotations

from typing import NamedTuple

PYTHONS = ("3.10", "3.11", "3.12", "3.13")

NEWEST = ""
"""Stands for the newest version that the others allow."""

OLD_SETUPTOOLS = "setuptools<82"
"""TensorBoard up to 2.20 uses pkg_resources, which later versions of setuptools do not have."""


class Combination(NamedTuple):
    """Versions to try together; `tensorflow` is `None` where there shall be none."""

    python: str
    tensorflow: str | None = NEWEST
    keras: str = NEWEST
    tensorboard: str = NEWEST
    numpy: str = NEWEST
    protobuf: str = NEWEST

    def requirements(self) -> list[str]:
        """Returns what to ask an installer for beside the package."""
        chosen = {"tensorboard": self.tensorboard, "numpy": self.numpy, "protobuf": self.protobuf}
        if self.tensorflow is not None:
            chosen |= {"tensorflow-cpu": self.tensorflow, "keras": self.keras}
        pinned = [f"{name}=={version}" for name, version in chosen.items() if version]
        return [*pinned, OLD_SETUPTOOLS] if self.tensorboard else pinned


COMBINATIONS = (
    # Without TensorFlow: oldest, between, newest.
    Combination("3.10", None, "", "2.17.0", "1.26.0", "4.25.0"),
    Combination("3.12", None, "", "2.19.0", "2.0.0", "5.29.5"),
    Combination("3.13", None),
    # With it: all oldest, and each TensorFlow since with the oldest and the newest beside it.
    Combination("3.10", "2.17.0", "3.4.0", "2.17.0", "1.26.0", "4.25.0"),
    Combination("3.12", "2.17.1", tensorboard="2.17.1"),
    Combination("3.11", "2.18.0", "3.5.0", "2.18.0", "2.0.0", "5.26.0"),
    Combination("3.12", "2.19.1", tensorboard="2.19.0"),
    Combination("3.11", "2.20.0", "3.10.0", "2.20.0", "1.26.4", "5.28.3"),
    Combination("3.13", "2.20.0", tensorboard="2.20.0"),
    Combination("3.10", "2.21.0", "3.12.0", "2.20.0", "1.26.4", "6.31.1"),
    # The newest of all on each Python.
    *(Combination(python) for python in PYTHONS),
)


class Refusal(NamedTuple):
    """Versions that are not supported, and the sentence that says so."""

    python: str
    requirements: tuple[str, ...]
    program: str
    sentence: str
    alone: tuple[str, ...] = ()
    """Packages to install without what they ask for."""


_CALLBACK = "import tensorboard_gradhealth; tensorboard_gradhealth.HealthCallback"

_LEGACY_MODEL = """
import os; os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import tensorflow as tf
import tensorboard_gradhealth as gradhealth

model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((8, 2)), np.ones((8, 1)), callbacks=[gradhealth.HealthCallback("logs")])
"""

REFUSALS = (
    Refusal(
        "3.11",
        ("tensorflow-cpu==2.15.1", "numpy<2", OLD_SETUPTOOLS),
        _CALLBACK,
        "ImportError: tensorboard_gradhealth needs TensorFlow 2.17 or newer, and 2.15.1 is "
        "installed: pip install --upgrade tensorflow",
    ),
    Refusal(
        "3.12",
        ("tensorflow-cpu==2.17.1", "keras==3.3.3", "numpy<2", OLD_SETUPTOOLS),
        _CALLBACK,
        "ImportError: tensorboard_gradhealth needs Keras 3.4 or newer, and 3.3.3 is "
        "installed: pip install --upgrade keras",
    ),
    Refusal(
        "3.12",
        ("tensorflow-cpu==2.19.1", "tensorboard==2.19.0", OLD_SETUPTOOLS),
        _LEGACY_MODEL,
        "TypeError: HealthCallback needs a model of Keras 3, and this one is of "
        "<class 'tf_keras.src.engine.sequential.Sequential'>. "
        "With TF_USE_LEGACY_KERAS=1, tf.keras is Keras 2: import keras instead.",
        alone=("tf-keras==2.19.0",),
    ),
    Refusal(
        "3.10",
        ("tensorboard==2.16.2", "numpy<2", OLD_SETUPTOOLS),
        "import tensorboard_gradhealth; tensorboard_gradhealth.diagnose",
        "ImportError: tensorboard_gradhealth needs TensorBoard 2.17 or newer, and 2.16.2 is "
        "installed: pip install --upgrade tensorboard",
    ),
    Refusal(
        "3.13",
        ("tensorboard", "numpy"),
        _CALLBACK,
        "ModuleNotFoundError: tensorboard_gradhealth.HealthCallback needs TensorFlow: "
        "pip install tensorboard-gradhealth[tensorflow]  (or [cpu])",
    ),
)
