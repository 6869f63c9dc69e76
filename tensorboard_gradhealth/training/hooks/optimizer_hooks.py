"""Looks at what a Keras optimizer does: the gradients it is given and the changes it makes.

The change of a variable in a step is measured around the optimizer's own update, right where it is
made, so that no copy of the whole model is held. What Keras does to the weights before
(weight decay) and after (constraints) is worked out from its definition and added
(docs/adr/0004-whole-change-of-a-step.md).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras.optimizers import Optimizer

from tensorboard_gradhealth.signals._base import OptimizerContext, UpdateContext
from tensorboard_gradhealth.signals._norm import half_squared_norm, inner_product
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.hooks.patches import Patches
from tensorboard_gradhealth.training.model import distribution, keras_model
from tensorboard_gradhealth.types import Row

Tensor = Any


class Change(NamedTuple):
    """What an update did to a variable.

    Attributes:
      variable: The variable.
      half_change: `[]`, half the squared norm of its whole change in the step.
      half_weights: `[]`, half the squared norm of its value before.
      predicted: `[]`, product of its gradient and its change; `None` if the gradient is unknown.
    """

    variable: Any
    half_change: Tensor
    half_weights: Tensor
    predicted: Tensor | None


class OptimizerHooks:
    """Measures every optimizer of `model` while a step is being recorded."""

    def __init__(
        self, model: keras.Model, instrument: Instrument, recorder: StepRecorder, guard: Guard
    ) -> None:
        self._model = model
        self._instrument = instrument
        self._recorder = recorder
        self._guard = guard
        self._rows: dict[int, Row] = {}
        self._constraints: dict[int, Any] = {}
        self._outside: list[Any] = []  # variables that are trained but are not the model's
        self._learning_rates: dict[int, Tensor] = {}
        self._applied: Optimizer | None = None
        self._changes: list[Change] | None = None  # so far, while an optimizer updates weights
        self._gradients: dict[int, Tensor] = {}  # of this step, as they were before clipping

    @property
    def learning_rate(self) -> Tensor | None:
        """Rate `[]` that the optimizer applied last in this step used; `None` if there is none."""
        return self._learning_rates.get(id(self._applied))

    def begin(self) -> None:
        """Forgets the step before."""
        self._applied = None
        self._gradients.clear()
        with self._guard.protect("learning_rate"):
            # Read here, not where it is used, which may be inside a branch of the step.
            self._learning_rates = {
                id(optimizer): tf.convert_to_tensor(optimizer.learning_rate)
                for optimizer in keras_model.optimizers(self._model)
            }

    def install(self, patches: Patches) -> None:
        """Hooks every optimizer that the model holds."""
        for optimizer in keras_model.optimizers(self._model):
            patches.wrap(optimizer, "apply", functools.partial(self._apply, optimizer))
            patches.wrap(optimizer, "_clip_gradients", functools.partial(self._clip, optimizer))
            patches.wrap(optimizer, "_all_reduce_sum_gradients", self._all_reduce)
            if self._instrument.wants("update"):
                update = functools.partial(self._update_step, optimizer)
                patches.wrap(optimizer, "update_step", update)
                update_all = functools.partial(self._update_all, optimizer)
                patches.wrap(optimizer, "_backend_update_step", update_all)
            if keras_model.overwrites_with_average(optimizer):
                self._guard.report(
                    "update_ratio on some steps",
                    "every so often the optimizer overwrites the weights with their moving average",
                )
        for scaler in keras_model.loss_scalers(self._model):
            patches.wrap(scaler, "apply", functools.partial(self._apply_scaled, scaler))

    def _apply_scaled(
        self, scaler: Optimizer, original: Any, grads: Any, trainable_variables: Any = None
    ) -> Any:
        """Notes whether a step was skipped; the optimizer inside measures those that were not."""
        if not self._recorder.recording:
            return original(grads, trainable_variables)
        self._applied = scaler.inner_optimizer
        before = tf.identity(scaler.iterations)
        result = original(grads, trainable_variables)
        with self._guard.protect("skipped_steps"):
            skipped = tf.equal(scaler.iterations, before)
            self._instrument.optimizer(OptimizerContext(skipped=skipped))
        return result

    def _apply(
        self, optimizer: Optimizer, original: Any, grads: Any, trainable_variables: Any = None
    ) -> Any:
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)  # it may be read only once
        if self._recorder.recording:
            self._applied = optimizer
            with self._guard.protect("gradients"):
                variables = trainable_variables or optimizer._trainable_variables
                scale = optimizer.loss_scale_factor or 1.0
                if distribution.replicas() == 1:
                    self._measure_gradients(zip(grads, variables, strict=True), scale)
                elif keras_model.changes_gradients(optimizer):
                    reason = "each replica clips or accumulates before gradients are added up"
                    self._guard.report("gradient_norm", reason)
        return original(grads, trainable_variables)

    def _all_reduce(self, original: Any, grads_and_vars: Any) -> Any:
        """Measures gradients where they were added up over all replicas."""
        reduced = original(grads_and_vars)
        if self._recorder.recording and distribution.replicas() > 1:
            assert self._applied is not None
            with self._guard.protect("gradients"):
                if not keras_model.changes_gradients(self._applied):
                    self._measure_gradients(reduced)
        return reduced

    def _measure_gradients(self, pairs: Iterable[tuple[Any, Any]], scale: float = 1.0) -> None:
        pairs = [(g, v) for g, v in pairs if g is not None and self._selected(v)]
        if pairs:
            names = [self._row(variable) for _, variable in pairs]
            gradients = [g if scale == 1.0 else keras.ops.divide(g, scale) for g, _ in pairs]
            self._instrument.gradients(names, gradients)
            keys = [keras_model.variable_key(variable) for _, variable in pairs]
            self._gradients.update(zip(keys, gradients, strict=True))

    def _clip(self, optimizer: Optimizer, original: Any, grads: Sequence[Any]) -> Any:
        limits = (optimizer.clipnorm, optimizer.global_clipnorm, optimizer.clipvalue)
        if self._recorder.recording and any(limits):
            with self._guard.protect("clip_rate"):
                self._instrument.optimizer(OptimizerContext(grads, *limits))
        return original(grads)

    def _update_all(self, optimizer: Optimizer, original: Any, *args: Any, **kwargs: Any) -> Any:
        if not (self._recorder.recording and self._instrument.measures("update")):
            return original(*args, **kwargs)
        self._changes = []
        try:
            result = original(*args, **kwargs)
        finally:
            done, self._changes = self._changes, None
        if done:
            with self._guard.protect("weight changes"):
                whole = ~keras_model.overwrites_now(optimizer)
                names = [self._row(change.variable) for change in done]
                self._instrument.updates(names, _context(done, whole))
        return result

    def _update_step(
        self, optimizer: Optimizer, original: Any, gradient: Any, variable: Any, learning_rate: Any
    ) -> Any:
        done = self._changes
        first = distribution.is_first_part(variable)
        if done is None or not (first and self._selected(variable)):
            return original(gradient, variable, learning_rate)
        before = tf.convert_to_tensor(variable)
        result = original(gradient, variable, learning_rate)
        with self._guard.protect("weight changes"):
            after = tf.convert_to_tensor(variable)
            constraint = self._constraints.get(keras_model.variable_key(variable))
            if constraint is not None:
                after = constraint(after)
            decay = keras_model.decay(optimizer, variable, learning_rate)
            raw = self._gradients.get(keras_model.variable_key(variable))
            done.append(_whole_change(variable, before, after, decay, raw))
        return result

    def rows(self) -> dict[str, Any]:
        """Returns the variables that gradients were met of, by row name."""
        named = [*self._model.trainable_variables, *self._outside]
        known = [v for v in named if keras_model.variable_key(v) in self._rows]
        return {self._row(variable): variable for variable in known if self._selected(variable)}

    def _selected(self, variable: Any) -> bool:
        return self._instrument.selects(self._row(variable))

    def _row(self, variable: Any) -> str:
        """Returns the name of a variable's row; the model may have been built only just now."""
        key = keras_model.variable_key(variable)
        if key not in self._rows:
            self._constraints = {
                keras_model.variable_key(own): own.constraint
                for own in self._model.trainable_variables
            }
            if key not in self._constraints:
                self._outside.append(variable)
            self._rows = keras_model.variable_rows(self._model, self._outside)
            self._instrument.rows["variable"] = {}  # also what another fit froze or thawed
            chosen = [row for row in self._rows.values() if self._instrument.selects(row.name)]
            self._instrument.add_rows("variable", chosen)
        return self._rows[key].name


def _context(done: Sequence[Change], whole: Tensor) -> UpdateContext:
    predicted = [change.predicted for change in done]
    known = all(one is not None for one in predicted)
    return UpdateContext(
        squared_changes=2.0 * tf.stack([change.half_change for change in done]),
        squared_weights=2.0 * tf.stack([change.half_weights for change in done]),
        variables=[change.variable for change in done],
        whole=whole,
        predicted=tf.stack(predicted) if known else None,
    )


def _whole_change(
    variable: Any, before: Tensor, after: Tensor, decay: Tensor | None, gradient: Tensor | None
) -> Change:
    """Measures the change of a variable in a step.

    Args:
      variable: It.
      before: Its value before its update, but after its decay.
      after: Its value at the end of the step.
      decay: `[]`: the share of itself that it had lost to decay; `None` if none.
      gradient: Of the loss, where it is known.
    """
    size = half_squared_norm(before)
    if decay is None:
        with tf.control_dependencies([size]):
            # By now nobody else needs the memory of `before`, and TensorFlow takes it for this.
            change = after - before
    else:
        # Never through the value before the decay: rounding it would swamp a small change.
        rest = 1.0 - decay
        change, size = after - before - decay / rest * before, size / rest**2
    predicted = None if gradient is None else _along(gradient, change)
    return Change(variable, half_squared_norm(change), size, predicted)


def _along(gradient: Tensor, change: Tensor) -> Tensor:
    if isinstance(gradient, tf.IndexedSlices):
        return inner_product(gradient.values, tf.gather(change, gradient.indices))
    return inner_product(gradient, change)
