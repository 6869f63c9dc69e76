"""The loss on data that the model is not trained on."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard_gradhealth.signals._base import EpochContext, Signal
from tensorboard_gradhealth.types import SignalSpec


def measure(context: EpochContext) -> Mapping[str, float]:
    loss = context.metrics.get("val_loss")
    return {} if loss is None else {"": loss}


SPEC = SignalSpec(
    name="validation_loss",
    title="Validation loss",
    unit="",
    axis="run",
    scale="log",
    description="Loss on the validation data, as often as it is computed.",
)
SIGNAL = Signal(SPEC, phase="epoch", cost="light", measure=measure)
