"""Reaches into a Keras model's training step.

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

from tensorboard_gradhealth.signals._base import StepContext
from tensorboard_gradhealth.signals._norm import compiled_by_xla
from tensorboard_gradhealth.training import distribution
from tensorboard_gradhealth.training.activation_hooks import ActivationHooks
from tensorboard_gradhealth.training.data_hooks import DataHooks
from tensorboard_gradhealth.training.direction_hooks import DirectionHooks
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.instrument import Instrument
from tensorboard_gradhealth.training.optimizer_hooks import OptimizerHooks
from tensorboard_gradhealth.training.patches import Patches
from tensorboard_gradhealth.training.probe import Probes
from tensorboard_gradhealth.training.recorder import StepRecorder
from tensorboard_gradhealth.training.replica import Replica, ReplicaHooks

Tensor = Any

_INSTALLED = "_gradhealth_hooks"


class KerasHooks:
    """Measures every training step of `model` from `install` until `remove`."""

    def __init__(
        self,
        model: keras.Model,
        instrument: Instrument,
        recorder: StepRecorder,
        guard: Guard,
        others: Sequence[Replica] = (),
    ) -> None:
        self._model = model
        self._instrument = instrument
        self._recorder = recorder
        self._guard = guard
        self._patches = Patches()
        self._optimizers = OptimizerHooks(model, instrument, recorder, guard)
        self._activations = ActivationHooks(model, instrument, recorder, guard)
        self._probes = Probes(instrument, guard)
        self._direction = DirectionHooks(instrument)
        self._data = DataHooks(model, instrument)
        self._others = {other.number: ReplicaHooks(model, other, guard) for other in others}
        self._loss: Tensor | None = None
        self._functions: dict[bool, Any] = {}

    @property
    def facts(self) -> dict[str, Any]:
        """What the traced steps have told about the run so far."""
        return {"sample_weights": True} if self._data.weighted else {}

    def install(self) -> None:
        """Hooks the model; takes the place of hooks that an interrupted fit left behind."""
        previous = vars(self._model).get(_INSTALLED)
        if previous is not None:
            previous.remove()
        vars(self._model)[_INSTALLED] = self
        for what, reason in distribution.unseen(self._model.distribute_strategy).items():
            self._guard.report(what, reason)
        _build_optimizer(self._model)
        self._patches.wrap(self._model, "train_step", self._train_step)
        self._patches.wrap(self._model, "compute_loss", self._compute_loss)
        self._optimizers.install(self._patches)
        self._activations.install(self._patches)
        for other in self._others.values():
            other.install(self._patches)
        self._set_lean(False)
        self._recorder.restart()
        self._model.train_function = None  # so that Keras traces the step anew, with the hooks

    def measure(self, lean: bool) -> None:
        """Chooses what the next steps measure: everything, or only what is cheap enough for all.

        Keras calls whatever `model.train_function` is, so the choice is between two functions,
        each traced when it is first called; a condition inside one function would cost every step.
        """
        if lean == self._instrument.lean:
            return
        self._functions[not lean] = self._model.train_function
        self._set_lean(lean)
        self._model.train_function = self._functions.get(lean)
        self._model.make_train_function()

    def _set_lean(self, lean: bool) -> None:
        self._instrument.lean = lean
        for other in self._others.values():
            other.measure(lean)

    def remove(self) -> None:
        """Takes every hook back."""
        self._patches.undo()
        self._functions.clear()
        vars(self._model).pop(_INSTALLED, None)
        self._model.train_function = None

    def _train_step(self, original: Any, data: Any) -> Any:
        replica = distribution.replica()
        if replica:
            other = self._others.get(replica)
            return original(data) if other is None else other.train_step(original, data)
        self._loss = None
        self._recorder.begin()
        self._optimizers.begin()
        self._activations.begin()
        try:
            with self._guard.protect("inputs"):
                self._data.inputs(data)
            with compiled_by_xla(bool(self._model.jit_compile)):
                with self._probes.active():
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
        self._activations.finish(loss)
        self._direction.finish(self._optimizers.rows())
        inputs = self._data.float_inputs
        self._instrument.step(StepContext(loss, self._optimizers.learning_rate, inputs=inputs))
        self._recorder.commit()

    def _compute_loss(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        loss = original(*args, **kwargs)
        if not self._recorder.in_any_replica:
            return loss
        whole = distribution.total(loss)
        named = {**dict(zip(("x", "y", "y_pred", "sample_weight"), args, strict=False)), **kwargs}
        other = self._others.get(distribution.replica())
        if self._recorder.recording:
            self._loss = whole
            with self._guard.protect("labels"):
                self._data.labels(**named)
        elif other is not None and other.recorder.recording:
            with self._guard.protect("labels of the other replicas"):
                other.data.labels(**named)
        return loss


def _build_optimizer(model: keras.Model) -> None:
    """Makes the optimizer's variables now, as Keras would while it traces the first step.

    There TensorFlow sees them being made, and traces the step, with the hooks, a second time.
    """
    replicas = int(model.distribute_strategy.num_replicas_in_sync)
    own_step = type(model).train_step is not keras.Model.train_step
    if model.built and replicas == 1 and not own_step and not model.optimizer.built:
        model.optimizer.build(model.trainable_weights)
