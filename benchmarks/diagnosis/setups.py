"""How a network of the suite is trained, as data: a fault is the same with something changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from benchmarks.diagnosis.data import Data


@dataclasses.dataclass(frozen=True)
class Setup:
    """All that decides a training but the seed.

    Attributes:
      body: Name in `bodies.BODIES`.
      task: Name in `data.TASKS`.
      samples: To train on.
      batch_size: Of a step.
      epochs: Over the samples.
      optimizer: Makes the optimizer.
      activation: Of the hidden layers.
      hidden: Further arguments of all hidden layers with a kernel.
      recurrent: Further arguments of the recurrent layers.
      head: Arguments that replace those of the output layer.
      loss: Replaces the task's own loss.
      prepare: Changes the data, in this order.
      entry: Makes layers to put before the body.
      after: Makes layers to put after each hidden layer; or, for the head, `after_head`.
      after_head: Makes layers to put after the output layer.
      depth: Blocks of the body; None for its own number.
      compile: Further arguments of `compile`.
      fit: Further arguments of `fit`, made from the data.
      policy: Precision.
      adapt: Changes the model, once it is built, before it is compiled.
      wrap: Makes a model with a training step of its own out of it.
    """

    body: str
    task: str
    samples: int = 800
    batch_size: int = 32
    epochs: int = 10
    optimizer: Callable[[], Any] = lambda: keras.optimizers.Adam(2e-3)
    activation: Any = "relu"
    hidden: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    recurrent: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    head: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    loss: Any = None
    prepare: tuple[Callable[[Data, np.random.Generator], Data], ...] = ()
    entry: Callable[[], list[Any]] = list
    after: Callable[[], list[Any]] = list
    after_head: Callable[[], list[Any]] = list
    depth: int | None = None
    compile: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fit: Callable[[Data], Mapping[str, Any]] = lambda data: {}
    policy: str = "float32"
    adapt: Callable[[keras.Model, Data], None] = lambda model, data: None
    wrap: Callable[[keras.Model], keras.Model] = lambda model: model


Change = Callable[[Setup], Setup]


def changed(**changes: Any) -> Change:
    """Returns what replaces these attributes of a setup."""
    return lambda setup: dataclasses.replace(setup, **changes)
