"""`HealthCallback`: Gradient Health for `model.fit`."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tensorboard_gradhealth.actions import OnFinding
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.training import arguments
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.hooks.keras_hooks import KerasHooks, hooked
from tensorboard_gradhealth.training.hooks.replica import Replica
from tensorboard_gradhealth.training.host.action_runner import ActionRunner
from tensorboard_gradhealth.training.host.session import Session
from tensorboard_gradhealth.training.looks.cadence import SampleCadence
from tensorboard_gradhealth.training.looks.keras_probes import KerasProbes
from tensorboard_gradhealth.training.model import distribution, keras_model, model_facts
from tensorboard_gradhealth.types import Finding, RuleState

RING_STEPS = 64

_NOT_GIVEN = ("self", "__class__")


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
      preset: `"light"` (loss, learning rate, gradient norms, non-finite values), `"standard"`
        (also update ratios, weights, activations, inputs, labels and predictions) or `"full"` (also
        directions, gradient noise and curvature).
      signals: Names of the signals to measure, instead of a preset.
      layers: Regular expression: only variables and activations are measured in whose names it is
        found, `"encoder/"` for example; all of them, if not given.
      group_by: Makes one row of many variables or activations, for models of thousands: a number of
        path components (2 puts `block_3/moe/expert_7/kernel` under `block_3/moe`), or a regular
        expression that is searched for in their names and whose first parenthesis, or else match,
        names the group. Rows of different role or activation function stay apart; `x128` in a
        name says how many a row holds. Norms are those of all members together, and ratios are
        of such norms; counts and predicted changes are added; shares and gains are means over all
        elements or units. What was not measured of a member is left out.
      log_every: Length of a record once the first 51 steps, logged one by one, are over: a number
        of steps >= 1, or a time as `datetime.timedelta(seconds=30)`. Whatever it is, every step is
        measured and in some record.
      budget: About how many records a log may hold; windows grow to keep to it; >= 100.
      ignore: Findings not wanted: rule name to `True`, or to a regular expression of the names of
        variables or activations that it should not judge.
      limits: Thresholds that replace a rule's own: rule name to limit name to number; each rule's
        page lists them.
      probe_data: For preset `"full"`: the batch whose curvature is measured, `(x, y)` or
        `(x, y, sample_weight)`; that of the step, if not given. Needed under `MirroredStrategy`.
      probe_batch_size: Examples of it that are differentiated at a time, which bounds memory.
      max_share: Time that curvature may take, as a share of that of training.
      on_finding: What to do when a finding opens; nothing, if not given. A list of
        `gradhealth.actions`, such as `StopTraining()`, and of functions that take a `Finding`,
        which are called from severity `warning` on.
      verbose: 1 prints each finding when it opens and a summary at the end; 0 prints nothing.

    Attributes:
      findings: What was found so far, root causes first. Kept after training.
      rule_states: What each rule says so far: clean, firing, cleared, or why it cannot judge.

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
        layers: str | None = None,
        group_by: int | str | None = None,
        log_every: int | datetime.timedelta = 10,
        budget: int = 1500,
        ignore: Mapping[str, bool | str] | None = None,
        limits: Mapping[str, Mapping[str, float]] | None = None,
        probe_data: Any = None,
        probe_batch_size: int | None = None,
        max_share: float = 0.05,
        on_finding: Sequence[OnFinding] = (),
        verbose: int = 1,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in _NOT_GIVEN}
        super().__init__()
        self._given = given
        self._probing = arguments.probing(probe_data, probe_batch_size, max_share)
        self._options = arguments.options(
            preset=preset,
            signals=signals,
            layers=layers,
            log_every=log_every,
            budget=budget,
            ignore=ignore,
            limits=limits,
            on_finding=on_finding,
            group_by=group_by,
        )
        self._writer = RunWriter(arguments.directory(log_dir))
        self._verbose = verbose
        self._guard = Guard()
        shielded = self._guard.shield(self._options.signals)
        self._options = dataclasses.replace(self._options, signals=shielded)
        self._actions = ActionRunner(self._options.actions, self._stop, self._print)
        self._broken = False
        self._session: Session | None = None
        self._hooks: KerasHooks | None = None
        self._probes: KerasProbes | None = None
        self._batch: int | None = None  # under way, of this epoch
        self._begun = 0.0  # when it was handed to Keras, in seconds
        self._steps = 0
        self._sampling = SampleCadence(0)
        self._untold = 0  # steps that the session has not heard of

    def __deepcopy__(self, memo: dict[int, Any]) -> HealthCallback:
        """Returns a callback made from the same arguments; tuners copy callbacks for each trial."""
        return type(self)(**self._given)

    @property
    def findings(self) -> list[Finding]:
        """Findings of this run so far, root causes first, each followed by its consequences."""
        return self._session.findings if self._session else []

    @property
    def rule_states(self) -> list[RuleState]:
        """What each rule says so far, also why it cannot judge; nothing before the first record."""
        return self._session.rule_states if self._session else []

    def set_model(self, model: keras.Model) -> None:
        """Takes note of the model; Keras calls it for `evaluate` and `predict`, too.

        Raises:
          TypeError: It is not a model of Keras 3.
        """
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"HealthCallback needs a model of Keras 3, and this one is of {type(model)}. "
                "With TF_USE_LEGACY_KERAS=1, tf.keras is Keras 2: import keras instead."
            )
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins a fit.

        Raises:
          ValueError: The model is not compiled.
        """
        if not getattr(self.model, "compiled", False):
            raise ValueError(
                f"HealthCallback needs a compiled model, and {self.model.name!r} is not. "
                "Call model.compile(optimizer=..., loss=...) before model.fit(...)."
            )

    def _hook(self, model: keras.Model) -> bool:
        """Hooks a model whose next step is about to be taken; returns whether it did.

        Not before, because other callbacks may restore weights, or compile, when a fit begins.
        """
        if self._hooks is not None:
            self._hooks.remove()
        if hooked(model):
            reason = "another HealthCallback measures this fit; give it one of them"
            self._guard.report("the run any further", reason)
            return False
        session = self._session or self._start(model)
        known = ("epochs", "steps")
        session.facts.update({k: v for k, v in self.params.items() if k in known})
        if self._hooks is not None and self._hooks.model is model and self._hooks.reusable:
            self._hooks.install()
            return True
        self._follow(model, session)
        self._hooks = KerasHooks(model, self._instrument, self._recorder, self._guard, self._others)
        self._hooks.install()
        self._sampling = SampleCadence(self._steps)  # the first trace is of a step in full
        if self._probes is None or not self._probes.fits(model):
            self._probes = KerasProbes(
                model,
                session,
                self._instrument,
                self._recorder,
                self._guard,
                self._probing,
                self._steps,
            )
        return True

    def _start(self, model: keras.Model) -> Session:
        self._recorder = StepRecorder(
            RING_STEPS, lambda reason: self._guard.report("all layers", reason)
        )
        self._instrument = Instrument(self._options.signals, self._recorder, self._options.layers)
        self._others = [
            Replica(number, self._options.signals, self._options.layers, RING_STEPS)
            for number in range(1, distribution.mirrored(model.distribute_strategy))
        ]
        self._session = Session(
            self._writer,
            signals=self._options.signals,
            recorder=self._recorder,
            instrument=self._instrument,
            folder=self._options.folder,
            engine_options=self._options.engine,
            echo=self._print,
            first_step=_steps_taken(model),
            others=self._others,
            actions=self._actions,
            groups=self._options.groups,
        )
        self._session.start(keras_model.described(model))
        return self._session

    def _follow(self, model: keras.Model, session: Session) -> None:
        """Takes over how a model is compiled, which may be otherwise than before."""
        session.read()  # what the ring holds
        self._actions.model = model
        session.facts.update(model_facts.facts(model))
        for recorder in (self._recorder, *(other.recorder for other in self._others)):
            recorder.capacity = RING_STEPS + int(model.steps_per_execution)

    @_guarded
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._end_execution()

    # There is no `on_train_batch_end`: Keras would wait for the results of each step to call it.

    @_guarded
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._batch is not None and self._probes is not None:
            self._probes.trained(time.perf_counter() - self._begun)
            self._count(batch - self._batch)
        self._tell_session()
        in_place = self._hooks is not None and self._hooks.in_place
        if in_place or self._hook(self.model):
            self._prepare()
            self._batch = batch
        self._begun = time.perf_counter()

    def _prepare(self) -> None:
        """Chooses what the next step measures."""
        assert self._hooks is not None and self._probes is not None
        probed = self._probes.due(self._steps)
        full = probed or self._sampling.due(self._steps)
        if self._sampling.near(self._steps):
            self._hooks.note()
        self._hooks.measure(lean=not full)
        if full:
            self._sampling.measured(self._steps)
        if probed:
            self._probes.attach(self._steps)

    @_guarded
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._end_execution()
        if self._session is not None:
            self._session.epoch(_numbers(logs or {}))
            self._tell_session()

    def _end_execution(self) -> None:
        """Counts the steps of an epoch's last execution, which nobody tells of."""
        self._batch = None
        if self._session is not None:
            self._count(self._recorder.taken - self._steps)

    def _count(self, steps: int) -> None:
        self._steps += steps
        self._untold += steps

    def _tell_session(self) -> None:
        """Lets the session read the steps that were taken.

        Not right after a step: where it was an epoch's last, its metrics belong to its record.
        """
        if self._session is None:
            return
        self._session.not_measured.update(self._guard.reports)
        if self._hooks is not None:
            self._session.facts.update(self._hooks.facts)
            self._session.not_measured.update(self._hooks.unseen)
        taken, self._untold = self._untold, 0
        self._session.after_steps(taken)

    def on_train_end(self, logs: Any = None) -> None:
        if self._hooks is not None:
            self._hooks.remove()  # even if the monitor broke on the way
        self._finish()

    @_guarded
    def _finish(self) -> None:
        if self._session is not None:
            self._session.finish()
            self._print(self._session.summary())

    def _stop(self) -> None:
        self.model.stop_training = True

    def _print(self, message: str) -> None:
        if self._verbose:
            # The leading line break leaves Keras' progress bar, which redraws itself below.
            print(f"\n{message}\n", flush=True)


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """Returns the logs that are one number each, as they are."""
    arrays = {name: np.asarray(value) for name, value in logs.items()}
    numbers = {n: a for n, a in arrays.items() if a.ndim == 0 and a.dtype.kind in "fiub"}
    return {name: float(value) for name, value in numbers.items()}


def _steps_taken(model: keras.Model) -> int:
    """Returns how many steps `model` was trained before, so that a resumed run goes on counting."""
    optimizers = keras_model.optimizers(model)
    return keras_model.steps_counted(optimizers[0]) if optimizers else 0
