"""`HealthMonitor`: Gradient Health for a training loop of one's own."""

from __future__ import annotations

import datetime
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from tensorboard_gradhealth.actions import OnFinding
from tensorboard_gradhealth.lazy import unconverted
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.training import arguments
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.hooks.loop_hooks import LoopHooks, Trained
from tensorboard_gradhealth.training.hooks.replica import Replica
from tensorboard_gradhealth.training.hooks.step_versions import StepVersions
from tensorboard_gradhealth.training.host.action_runner import ActionRunner
from tensorboard_gradhealth.training.host.session import Session
from tensorboard_gradhealth.training.looks.cadence import SampleCadence
from tensorboard_gradhealth.training.model import distribution, keras_model, model_facts
from tensorboard_gradhealth.types import Finding, RuleState

Tensor = Any
T = TypeVar("T")

RING_STEPS = 64

_NO_GRADIENTS = (
    "none arrived from the first step. Either the step does not update its variables through "
    "`apply` or `apply_gradients` of the optimizer that the monitor was given, or it calls a "
    "tf.function that was traced before there was a monitor: make the monitor before that "
    "function is first called, or wrap the function anew, tf.function(step.python_function)"
)
_NO_LOSS = (
    "the step returns neither one number nor a dict with 'loss'. Return the loss, or call "
    "monitor.loss(loss) inside the step"
)
_NO_LABELS = "a loop of one's own does not say which of its tensors are labels"
_NO_LOSS_FUNCTION = (
    "a loop of one's own does not say how to compute the loss of a batch once more; "
    "gradhealth.summary.curvature is told so"
)
_NOT_IN_LOOPS = {
    "class": _NO_LABELS,
    "prediction": _NO_LABELS,
    "trial": _NO_LOSS_FUNCTION,
    "halves": _NO_LOSS_FUNCTION,
    "curvature": _NO_LOSS_FUNCTION,
}
"""Reasons by phase of signals that cannot be measured."""


class HealthMonitor:
    """Measures every step of a training loop, logs it and says what is wrong.

    What is trained is not changed: final weights are bit for bit what they are without the
    monitor, except that XLA may round the last bit differently, as it does whenever a compiled
    step has one more result. A fault of the monitor is reported once and never stops the training.

    Make the monitor before the step is traced, that is, before a `tf.function` of it is called.

    Args:
      log_dir: Directory of this run; made if it does not exist. TensorBoard's `--logdir` is this
        directory or one above it.
      model: The `keras.Model` that is trained: its activations and inputs are measured.
      variables: What is trained, instead of a model or beside it: Keras or TensorFlow variables.
      optimizer: The Keras optimizer that updates them, or a list of several; that of a compiled
        `model`, if not given.
      preset: `"light"` (loss, learning rate, gradient norms, non-finite values) or `"standard"`
        (also update ratios, weights, activations and inputs).
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
      on_finding: What to do when a finding opens; nothing, if not given. A list of
        `gradhealth.actions`, such as `StopTraining()`, and of functions that take a `Finding`,
        which are called from severity `warning` on.
      verbose: 1 prints each finding when it opens and a summary at the end; 0 prints nothing.

    Attributes:
      findings: What was found so far, root causes first. Kept after `close`.
      rule_states: What each rule says so far: clean, firing, cleared, or why it cannot judge.
      should_stop: Whether an action of `on_finding` wants the loop to end; it is for the loop to
        look at it.

    Raises:
      ValueError: An argument is not accepted, or an open monitor has the same log directory or
        optimizer; the message says which and what is accepted.
      OSError: `log_dir` cannot be made or written.

    Example:
      >>> with HealthMonitor("logs/run1", model=model, optimizer=optimizer) as monitor:
      ...     for x, y in data:
      ...         loss = monitor.step(train_step, x, y)       # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        *,
        model: keras.Model | None = None,
        variables: Sequence[Any] | None = None,
        optimizer: Any = None,
        preset: str = "standard",
        signals: Sequence[str] | None = None,
        layers: str | None = None,
        group_by: int | str | None = None,
        log_every: int | datetime.timedelta = 10,
        budget: int = 1500,
        ignore: Mapping[str, bool | str] | None = None,
        limits: Mapping[str, Mapping[str, float]] | None = None,
        on_finding: Sequence[OnFinding] = (),
        verbose: int = 1,
    ) -> None:
        path = arguments.directory(log_dir)
        options = arguments.options(
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
        self._guard = Guard()
        measurable = (s for s in options.signals if s.phase not in _NOT_IN_LOOPS)
        self._signals = self._guard.shield(measurable)
        trained = Trained(model, *_trained(model, variables, optimizer))
        self._verbose = verbose
        self.should_stop = False
        self._actions = ActionRunner(options.actions, self._stop, self._print)
        self._actions.model = model
        self._loss_is_given = self._closed = self._broken = False
        self._steps = 0
        self._sampling = SampleCadence(0)
        self._versions = StepVersions()
        self._recorder = StepRecorder(
            RING_STEPS, lambda reason: self._guard.report("all layers", reason), grows=True
        )
        self._instrument = Instrument(self._signals, self._recorder, options.layers)
        strategy = distribution.strategy_of(trained.optimizer.iterations)
        self._others = [
            Replica(number, self._signals, options.layers, RING_STEPS, grows=True)
            for number in range(1, distribution.mirrored(strategy))
        ]
        self._hooks = LoopHooks(
            trained, model, self._instrument, self._recorder, self._guard, self._others
        )
        self._session: Session | None = None
        self._keys = _claims(path, trained.optimizers)
        if strategy.extended.should_save_summary:  # of several workers, one logs
            self._session = self._open(path, options, _steps_taken(trained))
            self._session.facts.update(_facts(model, trained))
            self._session.start([] if model is None else keras_model.described(model))
            self._hooks.install()
        _OPEN.update(dict.fromkeys(self._keys, self))

    @property
    def findings(self) -> list[Finding]:
        """Findings of this run so far, root causes first, each followed by its consequences."""
        return self._session.findings if self._session else []

    @property
    def rule_states(self) -> list[RuleState]:
        """What each rule says so far, also why it cannot judge; nothing before the first record."""
        return self._session.rule_states if self._session else []

    def step(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Takes one training step, `function(*args, **kwargs)`, and measures it.

        Once 51 steps are over, what is costly is measured at one step in ten (in long runs one in
        fifty). The others call a copy of `function` that measures less, if it is a `tf.function`;
        if it is plain Python around one, each step is measured in full, so better hand in the
        `tf.function` itself.

        Args:
          function: Plain Python or a `tf.function`, compiled or not. One call is one step: all
            optimizers of a step belong into one function. Its loss is what it returns, one number
            or a dict with `loss`, or what it hands to `loss`.
          *args: Handed to it.
          **kwargs: Handed to it.

        Returns:
          What `function` returns; what it raises is passed on.

        Raises:
          RuntimeError: The monitor is closed, or this is called inside a `tf.function`.
        """
        if self._closed:
            raise RuntimeError("This HealthMonitor is closed; make a new one to go on.")
        if not tf.executing_eagerly():
            raise RuntimeError(
                "HealthMonitor.step was called inside a tf.function; it reads and judges on the "
                "host. Call it outside, and hand it the tf.function as the step."
            )
        if self._broken or self._session is None:
            return function(*args, **kwargs)
        if self._sampling.near(self._steps):
            self._hooks.note()
        lean = None if self._sampling.due(self._steps) else self._versions.lean(function)
        with self._hooks.recording(lean is not None):
            result = (lean or function)(*args, **kwargs)
        with self._guard.protect("the run any further"):
            if lean is None:
                self._sampling.measured(self._steps)
                self._versions.taken(function, self._hooks.graph)
            self._take_in(result)
        self._broken = "the run any further" in self._guard.reports
        return result

    def validation(self, **metrics: float) -> None:
        """Hands in what an evaluation ended with; it goes into the next record.

        Args:
          **metrics: Numbers on data that the model is not trained on: `loss=`, and any others.

        Raises:
          ValueError: One of them is not a number.
        """
        numbers = {f"val_{name}": arguments.number(name, each) for name, each in metrics.items()}
        if self._session is not None:
            with self._guard.protect("validation"):
                self._session.epoch(numbers)

    @unconverted
    def loss(self, value: Tensor) -> None:
        """Hands in the loss, float `[]`, from inside the step; outside of one it does nothing."""
        if self._recorder.recording:
            self._loss_is_given = True
            with self._guard.protect("loss"):
                self._hooks.loss(value)

    def close(self) -> None:
        """Ends the run: takes all hooks back and leaves the log complete on disk.

        A `tf.function` that was traced under the monitor keeps what was traced, and measures on for
        nobody; wrap the Python function anew where that time matters.
        """
        if self._closed:
            return
        self._closed = True
        self._hooks.remove()
        for key in self._keys:
            _OPEN.pop(key, None)
        if self._session is not None:
            with self._guard.protect("the run any further"):
                self._session.close()
                self._print(self._session.summary())

    def __enter__(self) -> HealthMonitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, path: str, options: arguments.Options, first_step: int) -> Session:
        session = Session(
            RunWriter(path),
            signals=self._signals,
            recorder=self._recorder,
            instrument=self._instrument,
            folder=options.folder,
            engine_options=options.engine,
            echo=self._print,
            first_step=first_step,
            others=self._others,
            actions=self._actions,
            groups=options.groups,
        )
        for signal in options.signals:
            if signal.phase in _NOT_IN_LOOPS:
                session.not_measured[signal.spec.name] = _NOT_IN_LOOPS[signal.phase]
        return session

    def _take_in(self, result: Any) -> None:
        assert self._session is not None
        loss = _loss_of(result)
        self._hooks.finish(loss)
        if self._steps == 0:
            self._report_what_is_missing(loss)
        self._steps += 1
        self._session.not_measured.update(self._guard.reports)
        self._session.after_steps(1)

    def _report_what_is_missing(self, loss: Tensor | None) -> None:
        arrived = {slot.signal for slot in self._recorder.slots.values()}
        expected = {signal.spec.name for signal in self._signals if signal.phase == "gradient"}
        if expected and not (expected | {"skipped_steps"}) & arrived:
            self._guard.report("gradients", _NO_GRADIENTS)
        wanted = any(signal.spec.name == "loss" for signal in self._signals)
        if wanted and loss is None and not self._loss_is_given:
            self._guard.report("loss", _NO_LOSS)

    def _stop(self) -> None:
        self.should_stop = True

    def _print(self, message: str) -> None:
        if self._verbose:
            print(f"\n{message}\n", flush=True)


_OPEN: weakref.WeakValueDictionary[Any, HealthMonitor] = weakref.WeakValueDictionary()
"""Monitors that were not closed, by the directories and optimizers that are theirs."""


def _claims(log_dir: str, optimizers: Sequence[Any]) -> list[Any]:
    """Returns the keys of what one monitor needs to itself; refuses what another one has."""
    key = os.path.realpath(log_dir)
    if key in _OPEN:
        raise ValueError(
            f"log_dir={log_dir!r} is being written by a HealthMonitor that is still open. "
            "Call its close() first, or give each monitor a directory of its own."
        )
    if any(id(optimizer) in _OPEN for optimizer in optimizers):
        raise ValueError(
            "The optimizer is being watched by a HealthMonitor that is still open. "
            "Call its close() first: one monitor watches one training."
        )
    return [key, *map(id, optimizers)]


def _trained(
    model: Any, variables: Sequence[Any] | None, optimizer: Any
) -> tuple[list[Any], list[keras.optimizers.Optimizer]]:
    """Returns the variables and the optimizers."""
    if model is None and not variables:
        raise ValueError("HealthMonitor needs what is trained: give model= or variables=.")
    if model is not None and not isinstance(model, keras.Model):
        raise ValueError(f"model={model!r} is not accepted: give a keras.Model, or variables=.")
    if optimizer is None:
        optimizer = getattr(model, "optimizer", None)
    optimizers = list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]
    if not optimizers or not all(isinstance(o, keras.optimizers.Optimizer) for o in optimizers):
        raise ValueError(
            f"optimizer={optimizer!r} is not accepted: give the Keras optimizer that the step "
            "applies, or a list of them. Without one, log with gradhealth.summary."
        )
    return list(variables or ()), optimizers


def _facts(model: keras.Model | None, trained: Trained) -> dict[str, Any]:
    names = [type(optimizer).__name__ for optimizer in keras_model.optimizers(trained)]
    facts = {"optimizer": ", ".join(names), "loss_scaled": bool(keras_model.loss_scalers(trained))}
    return facts if model is None else {**model_facts.architecture(model), **facts}


def _loss_of(result: Any) -> Tensor | None:
    """Returns the loss, float `[]`, if the result of a step says it."""
    value = result.get("loss") if isinstance(result, Mapping) else result
    if not (tf.is_tensor(value) or isinstance(value, (float, np.floating, np.ndarray))):
        return None
    value = tf.convert_to_tensor(value)
    return value if value.dtype.is_floating and value.shape.rank == 0 else None


def _steps_taken(trained: Trained) -> int:
    """Returns how many steps were taken before, so that a resumed run goes on counting."""
    return keras_model.steps_counted(keras_model.optimizers(trained)[0])
