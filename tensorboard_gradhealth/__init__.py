"""Gradient Health: tells why a network is not training, in TensorBoard and on the console.

>>> import tensorboard_gradhealth as gradhealth
>>> callback = gradhealth.HealthCallback("logs/run1")  # doctest: +SKIP

Names are loaded when they are first used, so that TensorBoard, which imports this package to find
the plugin, does not import TensorFlow with it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tensorboard_gradhealth import requirements
from tensorboard_gradhealth.lazy import missing
from tensorboard_gradhealth.version import VERSION as __version__

if TYPE_CHECKING:
    from tensorboard_gradhealth import actions, summary
    from tensorboard_gradhealth.diagnosis import diagnose
    from tensorboard_gradhealth.recorded import RecordedRun, RecordedSeries, read_run
    from tensorboard_gradhealth.storage.metadata import UnreadableRun
    from tensorboard_gradhealth.training.hooks.probe import probe
    from tensorboard_gradhealth.training.keras_callback import HealthCallback
    from tensorboard_gradhealth.training.monitor import HealthMonitor
    from tensorboard_gradhealth.types import Evidence, Finding


_HOMES = {
    "HealthCallback": "tensorboard_gradhealth.training.keras_callback",
    "HealthMonitor": "tensorboard_gradhealth.training.monitor",
    "probe": "tensorboard_gradhealth.training.hooks.probe",
    "diagnose": "tensorboard_gradhealth.diagnosis",
    "read_run": "tensorboard_gradhealth.recorded",
    "RecordedRun": "tensorboard_gradhealth.recorded",
    "RecordedSeries": "tensorboard_gradhealth.recorded",
    "UnreadableRun": "tensorboard_gradhealth.storage.metadata",
    "Finding": "tensorboard_gradhealth.types",
    "Evidence": "tensorboard_gradhealth.types",
}

__all__ = [
    "Evidence",
    "Finding",
    "HealthCallback",
    "HealthMonitor",
    "RecordedRun",
    "RecordedSeries",
    "UnreadableRun",
    "__version__",
    "actions",
    "diagnose",
    "probe",
    "read_run",
    "summary",
]


def __getattr__(name: str) -> Any:
    if name in ("actions", "summary"):
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        if ".training." in _HOMES[name]:
            requirements.need_training()
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in ("tensorflow", "keras"):
            raise
        raise missing(name, error.name) from error


def __dir__() -> list[str]:
    return sorted(__all__)
