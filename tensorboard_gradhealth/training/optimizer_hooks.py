"""Looks at what a Keras optimizer does: the gradients it is given and the changes it makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.signals._base import UpdateContext, squared_norm
from tensorboard_gradhealth.training import keras_model
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.instrument import Instrument
from tensorboard_gradhealth.training.patches import Patches
from tensorboard_gradhealth.training.recorder import StepRecorder
from tensorboard_gradhealth.types import Row

Tensor = Any


class OptimizerHooks:
    """Measures every optimizer of `model` while a step is being recorded.

    Attributes:
      learning_rate: float `[]`, of the last optimizer that was applied in the step under way.
    """

    def __init__(
        self, model: keras.Model, instrument: Instrument, recorder: StepRecorder, guard: Guard
    ) -> None:
        self.learning_rate: Tensor | None = None
        self._model = model
        self._instrument = instrument
        self._recorder = recorder
        self._guard = guard
        self._variables: dict[int, Row] = {}
        self._changes: list[tuple[Any, Tensor, Tensor]] = []

    def begin(self) -> None:
        """Forgets the step before."""
        self.learning_rate = None

    def install(self, patches: Patches) -> None:
        """Hooks every optimizer that the model holds."""
        for optimizer in keras_model.optimizers(self._model):
            self._hook(optimizer, patches)

    def _hook(self, optimizer: keras.optimizers.Optimizer, patches: Patches) -> None:
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

        patches.wrap(optimizer, "apply", apply)
        if self._instrument.wants("update"):
            patches.wrap(optimizer, "update_step", self._update_step)

    def _before_apply(
        self, optimizer: keras.optimizers.Optimizer, grads: Sequence[Any], variables: Any
    ) -> None:
        self._changes = []
        self.learning_rate = tf.convert_to_tensor(optimizer.learning_rate)
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
