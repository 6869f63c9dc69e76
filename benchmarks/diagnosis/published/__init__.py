"""Rule sets that others published, written afresh from their definitions.

Each judges a `Series` with the limits that its authors give. What their words mean in ours is
read generously: an alarm counts as the right cause if it could stand for it.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.diagnosis.published import (
    autotrainer,
    deepdiagnosis,
    sagemaker,
    thedeepchecker,
    umlaut,
)
from benchmarks.diagnosis.published._alarms import Alarm
from benchmarks.diagnosis.series import Series

__all__ = ["PUBLISHED", "Alarm"]

PUBLISHED: dict[str, Callable[[Series], list[Alarm]]] = {
    "AUTOTRAINER": autotrainer.judge,
    "SageMaker Debugger": sagemaker.judge,
    "TheDeepChecker": thedeepchecker.judge,
    "DeepDiagnosis": deepdiagnosis.judge,
    "UMLAUT": umlaut.judge,
}
