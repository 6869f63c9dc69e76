"""One small training that goes ill on purpose, by `fit` or in a loop of one's own.

While it runs something else goes wrong.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from demo import article
from tensorboard_gradhealth.training.guard import MonitorWarning
from tensorboard_gradhealth.types import Finding

EPOCHS, STEPS = 20, 80
FAULT_AT = 60
"""By then a finding has opened."""


@dataclasses.dataclass
class Outcome:
    """What came of a training.

    Attributes:
      weights: Every variable of model and optimizer.
      before: Findings when the fault was injected.
      after: Findings in the end.
      reports: What people were warned of.
    """

    weights: bytes
    before: list[Finding] = dataclasses.field(default_factory=list)
    after: list[Finding] = dataclasses.field(default_factory=list)
    reports: list[str] = dataclasses.field(default_factory=list)


class _Fault(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, inject: Callable[[], object]) -> None:
        super().__init__()
        self._inject = inject
        self._steps = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._steps == FAULT_AT:
            self._inject()
        self._steps += 1


def train(callback: Any = None, inject: Callable[[], object] = lambda: None) -> Outcome:
    """Trains by `fit` with a learning rate that is too high.

    Args:
      callback: The `HealthCallback`, if any.
      inject: Called before step `FAULT_AT`.
    """
    model, x, y = _ill()
    outcome = Outcome(b"")

    def injected() -> None:
        outcome.before = callback.findings
        inject()

    callbacks = [] if callback is None else [_Fault(injected), callback]
    with _told_to(outcome):
        model.fit(x, y, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    outcome.weights = _state(model)
    outcome.after = [] if callback is None else callback.findings
    return outcome


def train_by_hand(
    log_dir: Path | None = None, inject: Callable[[], object] = lambda: None, **options: Any
) -> Outcome:
    """Trains the same in a loop of one's own.

    Args:
      log_dir: Of the `HealthMonitor`; `None` for a training without.
      inject: Called before step `FAULT_AT`.
      **options: Of the monitor.
    """
    model, x, y = _ill()
    optimizer, loss_of = model.optimizer, keras.losses.BinaryCrossentropy()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    batches = itertools.cycle(zip(tf.split(x, 4), tf.split(y[:, None], 4), strict=True))
    outcome = Outcome(b"")
    if log_dir is None:
        for _ in range(STEPS):
            step(*next(batches))
    else:
        with (
            _told_to(outcome),
            gradhealth.HealthMonitor(
                log_dir, model=model, **{"signals": FEW, "verbose": 0, **options}
            ) as monitor,
        ):
            for taken in range(STEPS):
                if taken == FAULT_AT:
                    outcome.before = monitor.findings
                    inject()
                monitor.step(step, *next(batches))
        outcome.after = monitor.findings
    outcome.weights = _state(model)
    return outcome


def _ill() -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """Returns a model whose learning rate is too high, its features and its labels."""
    keras.utils.set_random_seed(0)
    x, y = np.random.rand(100, 5), np.random.randint(0, 2, 100)
    return article._classifier(5, keras.optimizers.Adam(1.0, clipnorm=100.0)), x, y


@contextlib.contextmanager
def _told_to(outcome: Outcome) -> Iterator[None]:
    """Notes what people are warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MonitorWarning)
        yield
    outcome.reports = [str(w.message) for w in caught if w.category is MonitorWarning]


def _state(model: keras.Model) -> bytes:
    """Returns every number that training changes; all steps were taken."""
    assert int(model.optimizer.iterations) == STEPS
    state = [*model.variables, *model.optimizer.variables]
    return b"".join(variable.numpy().tobytes() for variable in state)


FEW = ("loss", "learning_rate", "gradient_norm", "update_ratio", "weight_rms")
"""Signals that are enough to find what is wrong, and are traced quickly."""


def callback(log_dir: Path, **options: Any) -> gradhealth.HealthCallback:
    if "preset" not in options:
        options["signals"] = FEW
    return gradhealth.HealthCallback(log_dir, **{"verbose": 0, **options})


def event_file(log_dir: Path) -> Path:
    [path] = log_dir.glob("*tfevents*")
    return path


def point_elsewhere(path: Path, target: str, flags: int) -> None:
    """Makes the descriptor by which this process writes to `path` one of `target`.

    So the operating system itself refuses the next write, as it would on a full disk, without the
    privileges that it takes to fill one.
    """
    descriptors = [int(link.name) for link in Path("/proc/self/fd").iterdir() if _leads(link, path)]
    assert descriptors, f"{path} is not open"
    other = os.open(target, flags)
    for descriptor in descriptors:
        os.dup2(other, descriptor)
    os.close(other)


def _leads(link: Path, path: Path) -> bool:
    try:
        return os.readlink(link) == str(path.resolve())
    except FileNotFoundError:  # the descriptor of the listing itself
        return False


class ClosedOutput(io.StringIO):
    """A standard output whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError("the reader has gone")


def close_output() -> None:
    sys.stdout = ClosedOutput()
