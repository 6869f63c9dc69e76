"""`HealthCallback`: Gradient Health for `model.fit`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tensorboard_gradhealth.rules import Engine
from tensorboard_gradhealth.signals import named_signals, preset_signals
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.training import keras_model
from tensorboard_gradhealth.training.arguments import at_least, directory
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.instrument import Instrument
from tensorboard_gradhealth.training.keras_hooks import KerasHooks
from tensorboard_gradhealth.training.recorder import StepRecorder
from tensorboard_gradhealth.training.session import Session
from tensorboard_gradhealth.training.windows import DENSE_STEPS, WindowFolder
from tensorboard_gradhealth.types import Finding, RunInfo

RING_STEPS = 64

SAMPLE_EVERY = 10
"""Signals of cadence `sample` are measured at one step in so many, once `DENSE_STEPS` are over."""


def _guarded(method: Callable[..., None]) -> Callable[..., None]:
    """Makes a callback method report its own faults instead of stopping the training."""

    @functools.wraps(method)
    def guarded(self: HealthCallback, *args: Any, **kwargs: Any) -> None:
        if self._broken:
            return
        with self._guard.protect("the run any further"):
            method(self, *args, **kwargs)
        self._broken = "the run any further" in self._guard.reports

    return guarded


class HealthCallback(keras.callbacks.Callback):
    """Measures every training step of `model.fit`, logs it and says what is wrong.

    The training itself is not changed: final weights are bit for bit what they are without the
    callback. A fault of the callback is reported once and never stops the training.

    Args:
      log_dir: Directory of this run; made if it does not exist. TensorBoard's `--logdir` is this
        directory or one above it.
      preset: `"light"` (loss, learning rate, gradient norms, non-finite values) or `"standard"`
        (also update ratios, weights, activations, inputs and labels).
      signals: Names of the signals to measure, instead of a preset.
      log_every: Steps in a record once the first 51 steps, logged one by one, are over; >= 1.
      budget: About how many records a log may hold; windows grow to keep to it; >= 100.
      ignore: Findings not wanted: rule name to `True`, or to a regular expression of the names of
        variables or activations that it should not judge.
      limits: Thresholds that replace a rule's own: rule name to limit name to number; each rule's
        page lists them.
      verbose: 1 prints each finding when it opens and a summary at the end; 0 prints nothing.

    Attributes:
      findings: What was found so far, root causes first. Kept after training.

    Raises:
      ValueError: An argument is not accepted; the message says what is.
      OSError: `log_dir` cannot be made or written.

    Example:
      >>> callback = HealthCallback("logs/run1")         # doctest: +SKIP
      >>> model.fit(x, y, callbacks=[callback])          # doctest: +SKIP
      >>> [finding.rule for finding in callback.findings]  # doctest: +SKIP
      ['unscaled_inputs']
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        *,
        preset: str = "standard",
        signals: Sequence[str] | None = None,
        log_every: int = 10,
        budget: int = 1500,
        ignore: Mapping[str, bool | str] | None = None,
        limits: Mapping[str, Mapping[str, float]] | None = None,
        verbose: int = 1,
    ) -> None:
        super().__init__()
        self._signals = preset_signals(preset) if signals is None else named_signals(signals)
        self._folder = WindowFolder(
            at_least("log_every", log_every, 1), at_least("budget", budget, 100)
        )
        self._engine_options: dict[str, Any] = {"ignore": ignore, "limits": limits}
        Engine(RunInfo(), **self._engine_options)  # refuses unknown names now, not later
        self._writer = RunWriter(directory(log_dir))
        self._verbose = verbose
        self._guard = Guard()
        self._broken = False
        self._session: Session | None = None
        self._hooks: KerasHooks | None = None
        self._last_batch = -1
        self._steps = 0
        self._sampled = 0

    @property
    def findings(self) -> list[Finding]:
        """Findings of this run so far, root causes first, each followed by its consequences."""
        return self._session.findings if self._session else []

    def set_model(self, model: keras.Model) -> None:
        """Hooks the training step of `model`. Keras calls it before it traces the step.

        Raises:
          ValueError: The model is not compiled.
        """
        super().set_model(model)
        if not getattr(model, "compiled", False):
            raise ValueError(
                f"HealthCallback needs a compiled model, and {model.name!r} is not. "
                "Call model.compile(optimizer=..., loss=...) before model.fit(...)."
            )
        self._install(model)

    @_guarded
    def _install(self, model: keras.Model) -> None:
        if self._session is None:
            self._start(model)
        self._hooks = KerasHooks(model, self._instrument, self._recorder, self._guard)
        self._hooks.install()

    def _start(self, model: keras.Model) -> None:
        steps = int(model.steps_per_execution)
        self._recorder = StepRecorder(
            RING_STEPS + steps, lambda reason: self._guard.report("all layers", reason)
        )
        self._instrument = Instrument(self._signals, self._recorder)
        self._session = Session(
            self._writer,
            signals=self._signals,
            recorder=self._recorder,
            instrument=self._instrument,
            folder=self._folder,
            engine_options=self._engine_options,
            echo=self._print,
            first_step=_steps_taken(model),
        )
        self._session.facts.update(keras_model.facts(model))

    @_guarded
    def on_train_begin(self, logs: Any = None) -> None:
        assert self._session is not None
        known = ("epochs", "steps")
        self._session.facts.update({k: v for k, v in self.params.items() if k in known})

    @_guarded
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._last_batch = -1

    @_guarded
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        assert self._hooks is not None
        due = self._steps < DENSE_STEPS or self._steps - self._sampled >= SAMPLE_EVERY
        self._hooks.measure(lean=not due)
        if due:
            self._sampled = self._steps

    @_guarded
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        assert self._session is not None
        self._session.not_measured.update(self._guard.reports)
        taken, self._last_batch = batch - self._last_batch, batch
        self._steps += taken
        self._session.after_steps(taken)

    def on_train_end(self, logs: Any = None) -> None:
        if self._hooks is not None:
            self._hooks.remove()  # even if the monitor broke on the way
        self._finish()

    @_guarded
    def _finish(self) -> None:
        assert self._session is not None
        self._session.finish()
        self._print(self._session.summary())

    def _print(self, message: str) -> None:
        if self._verbose:
            # The leading line break leaves Keras' progress bar, which redraws itself below.
            print(f"\n{message}\n", flush=True)


def _steps_taken(model: keras.Model) -> int:
    """Returns how many steps `model` was trained before, so that a resumed run goes on counting."""
    optimizers = keras_model.optimizers(model)
    return int(optimizers[0].iterations.numpy()) if optimizers else 0
