"""The metrics that an epoch ended with."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import EpochContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: EpochContext) -> Mapping[str, float]:
    return context.metrics


SPEC = SignalSpec(
    name="epoch_metrics",
    title="Epoch metrics",
    unit="",
    axis="metric",
    description="What Keras reports at the end of an epoch: mean loss and metrics over its "
    "training batches, and with `val_` in front, those of the validation data.",
)
SIGNAL = Signal(SPEC, phase="epoch", cost="light", measure=measure)
