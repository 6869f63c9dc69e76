"""Reaches into a Keras model's training step.

Nothing that the step computes is changed. Weights come out bit for bit as without the hooks, which
holds only because no hook consumes a tensor that TensorFlow would fuse away: reading the input of
an activation would split the fused kernel (product, bias, activation) that produces it, and the
split kernel rounds differently. So the inputs of activations are computed a second time, for a few
samples of the batch (docs/adr/0002-second-look-at-activations.md).
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.signals._base import StepContext
from tensorboard_gradhealth.signals._norm import compiled_by_xla, half_squared_norm
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
from tensorboard_gradhealth.training.hooks.traces import only_once
from tensorboard_gradhealth.training.model import distribution, keras_model

Tensor = Any

_INSTALLED = "_gradhealth_hooks"


def hooked(model: keras.Model) -> bool:
    """Whether the steps of a model are being measured."""
    return _INSTALLED in vars(model)


class KerasHooks:
    """Measures every training step of `model` from `install` until `remove`.

    Attributes:
      model: It.
    """

    def __init__(
        self,
        model: keras.Model,
        instrument: Instrument,
        recorder: StepRecorder,
        guard: Guard,
        others: Sequence[Replica] = (),
    ) -> None:
        self.model = model
        self._instrument = instrument
        self._recorder = recorder
        self._guard = guard
        self._patches = Patches()
        self._optimizers = OptimizerHooks(model, instrument, recorder, guard)
        self._activations = ActivationHooks(model, instrument, recorder, guard)
        self._probes = Probes(instrument, guard)
        self._direction = DirectionHooks(instrument, recorder)
        self._data = DataHooks(model, instrument)
        self._others = {other.number: ReplicaHooks(model, other, guard) for other in others}
        self._loss: Tensor | None = None
        self._functions: dict[bool, Any] = {}  # that Keras trains by, by what is left out
        self._laid: Any = None  # the one that it trains by now
        self._graph: Any = lambda: None  # refers to the last one that a step was traced into
        self._only_once: bool | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What the traced steps have told about the run so far."""
        return {"sample_weights": True} if self._data.weighted else {}

    @property
    def unseen(self) -> dict[str, str]:
        """Reasons by signals that no step that was traced has told of so far."""
        if not (self._data.unseen and self._recorder.slots):
            return {}
        return dict.fromkeys(self._instrument.names("class", "prediction"), self._data.unseen)

    @property
    def in_place(self) -> bool:
        """Whether Keras trains by the function that was laid in last.

        It does not if the model was compiled anew, or somebody asked for a new function.
        """
        return self._patches.made and self.model.train_function is self._laid

    @property
    def reusable(self) -> bool:
        """Whether `install` can lay in the functions of an earlier fit, as Keras would use them."""
        return not self._patches.made and self.model.train_function is self._laid

    def install(self) -> None:
        """Hooks the model, at first or once more after `remove`."""
        vars(self.model)[_INSTALLED] = self
        for what, reason in distribution.unseen(self.model.distribute_strategy).items():
            self._guard.report(what, reason)
        with self._guard.protect("the optimizer before the first step"):
            _build_optimizer(self.model)
        self._patches.wrap(self.model, "fit", self._fit)
        self._patches.wrap(self.model, "train_step", self._train_step)
        self._patches.wrap(self.model, "compute_loss", self._compute_loss)
        self._optimizers.install(self._patches)
        for optimizer in keras_model.optimizers(self.model):
            self._patches.wrap(optimizer, "apply", self._apply)
        self._activations.install(self._patches)
        for other in self._others.values():
            other.install(self._patches)
        self._set_lean(False)
        if not self._functions:
            for recorder in self._recorders():
                recorder.restart()
        self._lay_in(self._functions.get(False))

    def measure(self, lean: bool) -> None:
        """Chooses what the next steps measure: everything, or only what is cheap enough for all.

        Keras calls whatever `model.train_function` is, so the choice is between two functions,
        each traced when it is first called; a condition inside one function would cost every step.
        """
        if lean == self._instrument.lean or (lean and not self._may_be_traced_again()):
            return
        self._set_lean(lean)
        self._lay_in(self._functions.get(lean))

    def note(self) -> None:
        """Prepares, between two steps, for one that is measured in full and follows on others."""
        with self._guard.protect("update_cosine"):
            self._direction.note(self._optimizers.rows)

    def remove(self) -> None:
        """Takes every hook back. The functions are kept, for another fit of the same model."""
        if not self._patches.made:
            return
        self._patches.undo()
        vars(self.model).pop(_INSTALLED, None)
        if self.model.train_function is self._laid:
            self._lay_in(None)

    def _lay_in(self, function: Any) -> None:
        """Makes Keras train by `function`; by one that it traces anew if there is none."""
        self.model.train_function = function
        self.model.make_train_function()
        self._laid = self.model.train_function
        if self._patches.made:
            self._functions[self._instrument.lean] = self._laid

    def _may_be_traced_again(self) -> bool:
        if self._only_once is None:
            graph = self._graph()
            self._only_once = graph is not None and only_once(graph)
        return not self._only_once

    def _set_lean(self, lean: bool) -> None:
        self._instrument.lean = lean
        for other in self._others.values():
            other.measure(lean)

    def _recorders(self) -> list[StepRecorder]:
        return [self._recorder, *(other.recorder for other in self._others.values())]

    def _fit(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        """Takes back the hooks that an interrupted fit has left, before another one begins."""
        self.remove()
        return original(*args, **kwargs)

    def _train_step(self, original: Any, data: Any) -> Any:
        replica = distribution.replica()
        if replica:
            other = self._others.get(replica)
            return original(data) if other is None else other.train_step(original, data)
        self._loss = None
        self._note_graph()
        self._recorder.begin()
        self._optimizers.begin()
        self._activations.begin()
        try:
            with self._guard.protect("inputs"):
                self._data.inputs(data)
            with compiled_by_xla(bool(self.model.jit_compile)):
                with self._probes.active():
                    logs = original(data)
                with self._guard.protect("the training step"):
                    self._finish(logs)
        finally:
            self._recorder.end()
        return logs

    def _note_graph(self) -> None:
        if not tf.executing_eagerly():
            self._graph = weakref.ref(tf.compat.v1.get_default_graph())

    def _finish(self, logs: Any) -> None:
        loss = self._loss
        if loss is None and isinstance(logs, dict):
            loss = logs.get("loss")  # a custom step that does not call `compute_loss`
        if loss is not None:
            self._activations.search(lambda: loss)
        self._activations.finish()
        self._direction.finish(self._optimizers.rows())
        inputs = self._data.float_inputs
        self._instrument.step(StepContext(loss, self._optimizers.learning_rate, inputs=inputs))
        self._recorder.commit()

    def _apply(self, original: Any, grads: Any, trainable_variables: Any = None) -> Any:
        """Searches activations before weights change, where a step computes the loss by itself."""
        grads = list(grads)
        if self._recorder.recording and self._recorder.in_step:
            with self._guard.protect("activations"):
                self._activations.search(lambda: _size(grads))
        return original(grads, trainable_variables)

    def _compute_loss(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        loss = original(*args, **kwargs)
        if not self._recorder.in_any_replica:
            return loss
        whole = distribution.total(loss)
        named = {**dict(zip(("x", "y", "y_pred", "sample_weight"), args, strict=False)), **kwargs}
        other = self._others.get(distribution.replica())
        if self._recorder.recording:
            self._loss = whole
            with self._guard.protect("activations"):
                self._activations.search(lambda: loss)
            with self._guard.protect("labels"):
                self._data.labels(**named)
        elif other is not None and other.recorder.recording:
            other.led_to(loss)
            with self._guard.protect("labels of the other replicas"):
                other.data.labels(**named)
        return loss


def _size(gradients: Sequence[Any]) -> Tensor:
    """Returns float32 `[]`: a sum over gradients that is not finite if one of them is not."""
    known = [gradient for gradient in gradients if gradient is not None]
    dense = [each.values if isinstance(each, tf.IndexedSlices) else each for each in known]
    return tf.add_n([half_squared_norm(each) for each in dense])


def _build_optimizer(model: keras.Model) -> None:
    """Makes the optimizer's variables now, as Keras would while it traces the first step.

    There TensorFlow sees them being made, and traces the step, with the hooks, a second time.
    """
    replicas = int(model.distribute_strategy.num_replicas_in_sync)
    own_step = type(model).train_step is not keras.Model.train_step
    if replicas > 1 or own_step or model.optimizer.built or not _complete(model):
        return
    model.optimizer.build(model.trainable_weights)


def _complete(model: keras.Model) -> bool:
    """Whether a model has all its weights; a subclassed one may only be said to be built."""
    layers = keras_model.inner_layers(model)
    return bool(model.trainable_weights) and model.built and all(each.built for each in layers)
