"""Reaches into a Keras model's training step; the only file that knows where Keras does what.

Nothing that the step computes is changed. Weights come out bit for bit as without the hooks, which
holds only because no hook consumes a tensor that TensorFlow would fuse away: reading the input of
an activation would split the fused kernel (product, bias, activation) that produces it, and the
split kernel rounds differently. So the inputs of activations are computed a second time, for a few
samples of the batch (docs/adr/0002-second-look-at-activations.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.signals._base import StepContext, UpdateContext, squared_norm
from tensorboard_gradhealth.training import keras_model
from tensorboard_gradhealth.training.activation_hooks import ActivationHooks
from tensorboard_gradhealth.training.data_hooks import DataHooks
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.instrument import Instrument
from tensorboard_gradhealth.training.patches import Patches
from tensorboard_gradhealth.training.recorder import StepRecorder
from tensorboard_gradhealth.types import Row

Tensor = Any

_INSTALLED = "_gradhealth_hooks"


class KerasHooks:
    """Measures every training step of `model` from `install` until `remove`."""

    def __init__(
        self, model: keras.Model, instrument: Instrument, recorder: StepRecorder, guard: Guard
    ) -> None:
        self._model = model
        self._instrument = instrument
        self._recorder = recorder
        self._guard = guard
        self._patches = Patches()
        self._variables: dict[int, Row] = {}
        self._activations = ActivationHooks(model, instrument, recorder, guard)
        self._data = DataHooks(model, instrument)
        self._loss: Tensor | None = None
        self._learning_rate: Tensor | None = None
        self._changes: list[tuple[Any, Tensor, Tensor]] = []

    def install(self) -> None:
        """Hooks the model; takes the place of hooks that an interrupted fit left behind."""
        previous = vars(self._model).get(_INSTALLED)
        if previous is not None:
            previous.remove()
        vars(self._model)[_INSTALLED] = self
        self._patches.wrap(self._model, "train_step", self._train_step)
        self._patches.wrap(self._model, "compute_loss", self._compute_loss)
        for optimizer in keras_model.optimizers(self._model):
            self._hook_optimizer(optimizer)
        self._activations.install(self._patches)
        self._model.train_function = None  # so that Keras traces the step anew, with the hooks

    def remove(self) -> None:
        """Takes every hook back."""
        self._patches.undo()
        vars(self._model).pop(_INSTALLED, None)
        self._model.train_function = None

    def _hook_optimizer(self, optimizer: keras.optimizers.Optimizer) -> None:
        def apply(original: Any, grads: Sequence[Any], variables: Any = None) -> Any:
            grads = list(grads)
            if self._recorder.recording:
                with self._guard.protect("gradients"):
                    self._before_apply(optimizer, grads, variables)
            result = original(grads, variables)
            if self._recorder.recording:
                with self._guard.protect("weight changes"):
                    self._after_apply()
            return result

        self._patches.wrap(optimizer, "apply", apply)
        if self._instrument.wants("update"):
            self._patches.wrap(optimizer, "update_step", self._update_step)

    def _train_step(self, original: Any, data: Any) -> Any:
        self._loss = self._learning_rate = None
        self._recorder.begin()
        self._instrument.begin()
        self._activations.begin()
        try:
            with self._guard.protect("inputs"):
                self._data.inputs(data)
            logs = original(data)
            with self._guard.protect("the training step"):
                self._finish(logs)
        finally:
            self._recorder.end()
        return logs

    def _finish(self, logs: Any) -> None:
        loss = self._loss
        if loss is None and isinstance(logs, dict):
            loss = logs.get("loss")  # a custom step that does not call `compute_loss`
        inputs = self._data.float_inputs
        self._instrument.step(StepContext(loss, self._learning_rate, inputs=inputs))
        self._recorder.commit()

    def _compute_loss(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        loss = original(*args, **kwargs)
        if self._recorder.recording:
            self._loss = loss
            with self._guard.protect("labels"):
                named = dict(zip(("x", "y", "y_pred", "sample_weight"), args, strict=False))
                self._data.labels(**{**named, **kwargs})
        return loss

    def _before_apply(
        self, optimizer: keras.optimizers.Optimizer, grads: Sequence[Any], variables: Any
    ) -> None:
        self._changes = []
        self._learning_rate = tf.convert_to_tensor(optimizer.learning_rate)
        variables = optimizer._trainable_variables if variables is None else variables
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if pairs:
            names = [self._row(keras_model.raw_variable(variable)) for _, variable in pairs]
            self._instrument.gradients(names, [gradient for gradient, _ in pairs])

    def _update_step(self, original: Any, gradient: Any, variable: Any, learning_rate: Any) -> Any:
        if not self._recorder.recording:
            return original(gradient, variable, learning_rate)
        before = tf.convert_to_tensor(variable)
        size = squared_norm(before)
        result = original(gradient, variable, learning_rate)
        with self._guard.protect("weight changes"):
            change = squared_norm(tf.convert_to_tensor(variable) - before)
            self._changes.append((variable, change, size))
        return result

    def _after_apply(self) -> None:
        if self._changes:
            variables, changes, sizes = zip(*self._changes, strict=True)
            context = UpdateContext(tf.stack(changes), tf.stack(sizes), variables)
            self._instrument.updates([self._row(variable) for variable in variables], context)

    def _row(self, variable: Any) -> str:
        """Returns the name of a variable's row; the model may have been built only just now."""
        if id(variable) not in self._variables:
            self._variables = keras_model.variable_rows(self._model)
            self._instrument.add_rows("variable", self._variables.values())
        return self._variables[id(variable)].name
