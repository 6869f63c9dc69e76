"""Reaches into a training step that somebody wrote by hand.

The step is called as it is: eagerly, or as a `tf.function` of its own, compiled or not. So what is
measured in it leaves it through variables, whichever way it runs, and a function of ours gathers
them afterwards into the row of that step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.lazy import unconverted
from tensorboard_gradhealth.signals._base import StepContext
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.hooks.activation_hooks import ActivationHooks
from tensorboard_gradhealth.training.hooks.data_hooks import DataHooks
from tensorboard_gradhealth.training.hooks.direction_hooks import DirectionHooks
from tensorboard_gradhealth.training.hooks.optimizer_hooks import OptimizerHooks
from tensorboard_gradhealth.training.hooks.patches import Patches
from tensorboard_gradhealth.training.hooks.probe import Probes
from tensorboard_gradhealth.training.hooks.replica import Replica, ReplicaHooks
from tensorboard_gradhealth.training.hooks.traces import Traces, outermost_function
from tensorboard_gradhealth.training.model import distribution, keras_model

Tensor = Any


class Trained:
    """What the optimizer's hooks ask of a model; in a loop there may be none.

    Attributes:
      optimizer: The first optimizer.
      optimizers: All of them.
      name: The model's, which its variables' paths begin with.
    """

    def __init__(
        self,
        model: keras.Model | None,
        variables: Sequence[Any],
        optimizers: Sequence[keras.optimizers.Optimizer],
    ) -> None:
        self.optimizer = optimizers[0]
        self.optimizers = list(optimizers)
        self.name = "" if model is None else model.name
        self._model = model
        self._variables = list(variables)

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables in network order; a model may have been built only just now."""
        own = [] if self._model is None else list(self._model.trainable_variables)
        known = {keras_model.variable_key(variable) for variable in own}
        return own + [v for v in self._variables if keras_model.variable_key(v) not in known]


class LoopHooks:
    """Measures every step between `install` and `remove` that runs inside `recording`.

    Attributes:
      graph: What the last step was traced into; `None` if it ran eagerly or was traced before.
    """

    def __init__(
        self,
        trained: Trained,
        model: keras.Model | None,
        instrument: Instrument,
        recorder: StepRecorder,
        guard: Guard,
        others: Sequence[Replica] = (),
    ) -> None:
        self.graph: Any = None
        self._trained = trained
        self._model = model
        self._instrument = instrument
        self._recorder = recorder
        self._guard = guard
        self._patches = Patches()
        self._probes = Probes(instrument, guard)
        self._optimizers = OptimizerHooks(trained, instrument, recorder, guard)
        self._direction = DirectionHooks(instrument, recorder)
        self._others: dict[int, ReplicaHooks] = {}
        if model is not None:
            self._others = {other.number: ReplicaHooks(model, other, guard) for other in others}
        self._activations: ActivationHooks | None = None
        self._data: DataHooks | None = None
        self._traces = Traces()
        self._inputs_seen = False
        self._learning_rate: Tensor | None = None
        # Taken for the graph of the step, in which no hook ever runs: see the module's docstring.
        self._nowhere = tf.Graph()
        self._gather = tf.function(self._gather_step, autograph=False)

    def install(self) -> None:
        """Hooks the optimizers and, if there is one, the model."""
        self._optimizers.install(self._patches)
        for optimizer in self._trained.optimizers:
            self._patches.wrap(optimizer, "apply", self._apply)
        if self._model is not None:
            self._activations = ActivationHooks(
                self._model, self._instrument, self._recorder, self._guard
            )
            self._data = DataHooks(self._model, self._instrument)
            self._activations.install(self._patches)
            for other in self._others.values():
                other.install(self._patches)
            self._patches.wrap(self._model, "call", self._call)

    def remove(self) -> None:
        """Takes every hook back."""
        self._patches.undo()

    @contextlib.contextmanager
    def recording(self, lean: bool = False) -> Iterator[None]:
        """Measures the step that is taken inside.

        Args:
          lean: Whether to measure only what is cheap enough for every step.
        """
        self._set_lean(lean)
        with self._guard.protect("the run any further"):
            self._begin()
        try:
            with self._probes.active():
                yield
        finally:
            for recorder in self._recorders():
                recorder.end()

    def _set_lean(self, lean: bool) -> None:
        if lean == self._instrument.lean:
            return
        self._instrument.lean = lean
        for other in self._others.values():
            other.measure(lean)
        left_out = self._instrument.left_out
        for recorder in self._recorders():
            recorder.left_out = left_out

    def note(self) -> None:
        """Prepares, between two steps, for one that is measured in full and follows on others."""
        with self._guard.protect("update_cosine"):
            self._direction.note(self._optimizers.rows)

    def finish(self, loss: Tensor | None) -> None:
        """Gathers what the step that was just taken left, and its loss, float `[]`."""
        if loss is not None:
            loss = tf.cast(loss, tf.float32)
        # What was not there before has variables that are not in the traced function.
        carried = sum(recorder.carried for recorder in self._recorders())
        self._gather(loss, self._learning_rate, carried, self._instrument.lean)

    def loss(self, value: Tensor) -> None:
        """Takes the loss from inside the step."""
        self._instrument.step(StepContext(loss=value))

    def _begin(self) -> None:
        self.graph = None
        self._traces.begin()
        self._optimizers.begin()
        self._begin_model()
        # As the step will use it: after the step, a schedule has moved on.
        self._learning_rate = tf.convert_to_tensor(self._trained.optimizer.learning_rate)
        with self._nowhere.as_default():
            self._recorder.begin()
            for other in self._others.values():
                other.begin()

    def _recorders(self) -> list[StepRecorder]:
        return [self._recorder, *(other.recorder for other in self._others.values())]

    def _begin_model(self) -> None:
        self._inputs_seen = False
        if self._activations is not None:
            self._activations.begin()

    def _gather_step(
        self, loss: Tensor | None, learning_rate: Tensor, carried: int, lean: bool
    ) -> None:
        self._recorder.begin()
        try:
            self._direction.finish(self._optimizers.rows())
            self._instrument.step(StepContext(loss, learning_rate))
            self._recorder.commit()
        finally:
            self._recorder.end()
        for other in self._others.values():
            other.gather()

    def _call(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        assert self._model is not None
        other = self._others.get(distribution.replica())
        if other is not None and other.recorder.recording and self._model.built:
            other.inputs([*args, *kwargs.values()][0])
        if not self._recorder.recording:
            return original(*args, **kwargs)
        self._note_graph()
        if not self._model.built:  # Keras only looks for shapes
            self._recorder.end()
            try:
                return original(*args, **kwargs)
            finally:
                with self._nowhere.as_default():
                    self._recorder.begin()
        if self._traces.again():
            self._begin_model()
        if not self._inputs_seen:
            self._inputs_seen = True
            with self._guard.protect("inputs"):
                self._see_inputs([*args, *kwargs.values()][0])
        assert self._activations is not None
        if self._others:  # which are merged activation by activation
            with self._probes.here():
                return original(*args, **kwargs)
        with self._activations.one_call():
            return original(*args, **kwargs)

    def _note_graph(self) -> None:
        self.graph = outermost_function() or self.graph

    def _see_inputs(self, inputs: Any) -> None:
        assert self._data is not None
        self._data.inputs((inputs,))
        self._instrument.step(StepContext(inputs=self._data.float_inputs))

    @unconverted  # keeps AutoGraph out of what hooks an optimizer that a step calls
    def _apply(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        if self._recorder.recording:
            self._note_graph()
        return original(*args, **kwargs)
