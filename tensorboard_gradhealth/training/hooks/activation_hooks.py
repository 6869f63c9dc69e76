"""Looks at the activation functions inside a Keras model.

An activation is either the `activation` of a layer that computes something first (Dense, Conv) or
a layer of its own (Activation, ReLU). Either way its outputs are read as they are, but its inputs
are computed a second time for a few samples: see `keras_hooks`.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tensorboard_gradhealth.signals._base import ActivationContext
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.device.recorder import StepRecorder, current_graph
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.hooks.patches import Patches
from tensorboard_gradhealth.training.model import keras_model
from tensorboard_gradhealth.types import Row

Tensor = Any
Function = Callable[[Tensor], Tensor]

SAMPLE_ELEMENTS = 16_384
"""About how many elements of each activation are looked at in a step."""
MIN_SAMPLES, MAX_SAMPLES = 4, 32

ACTIVATION_LAYERS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
_NOT_ELEMENTWISE = ("linear", "softmax", "log_softmax", "sparsemax", "glu")


class _Seen(NamedTuple):
    """One activation of the step under way."""

    row: Row
    function: Function
    key: Hashable
    outputs: Tensor  # [batch, ..., units]
    again: Callable[[], Tensor]  # returns them, computed once more
    inputs: Tensor | None  # [k, ..., units]


class ActivationHooks:
    """Measures the activations of `model` while a step is being recorded."""

    def __init__(
        self, model: keras.Model, instrument: Instrument, recorder: StepRecorder, guard: Guard
    ) -> None:
        self._model = model
        self._instrument = instrument
        self._recorder = recorder
        self._guard = guard
        self._names = keras_model.LayerNames(model)
        self._calls: Counter[str] = Counter()
        # Linear layers of this step by the `id` of their output, which is kept alive beside them.
        self._producers: dict[int, tuple[Tensor, Any, Tensor]] = {}
        self._seen: list[_Seen] = []
        self._searched = 0  # so many of them were searched for NaN
        self._call_graph: Any = None  # what a call of the model that is measured as one puts ops in
        self._output_layers = keras_model.output_layers(model)

    def begin(self) -> None:
        """Forgets the calls of the step before."""
        self._calls.clear()
        self._producers.clear()
        self._seen.clear()
        self._searched = 0

    @contextlib.contextmanager
    def one_call(self) -> Iterator[None]:
        """Measures together, at its end, what one call of the model meets.

        That is for steps whose tensors cannot be read from outside.
        """
        before, self._call_graph = self._call_graph, current_graph()
        try:
            yield
            with self._guard.protect("activations"):
                self.finish()
        finally:
            self._call_graph = before
            self._seen.clear()
            self._searched = 0

    def search(self, led_to: Callable[[], Tensor]) -> None:
        """Searches what was seen since the last search for NaN, where there may be any.

        It computes activations once more, so it has to come before the weights are changed.

        Args:
          led_to: Returns float, of any shape: what is not finite if one of the activations is not.
        """
        seen, self._searched = self._seen[self._searched :], len(self._seen)
        if seen and self._instrument.measures("output"):
            sound = tf.reduce_all(tf.math.is_finite(led_to()))
            names = [each.row.name for each in seen]
            self._instrument.outputs_behind(sound, names, [each.again for each in seen])

    def finish(self) -> None:
        """Measures what was seen in the step: activations of equal shape and function together.

        That makes hundreds of small ops into a few, both to trace and to run.
        """
        unsearched = self._seen[self._searched :]
        if unsearched:
            names = [seen.row.name for seen in unsearched]
            self._instrument.outputs(names, [seen.outputs for seen in unsearched])
        groups: dict[Hashable, list[_Seen]] = {}
        for seen in self._seen:
            if seen.inputs is not None:
                groups.setdefault((seen.key, tuple(seen.inputs.shape[1:])), []).append(seen)
        for group in groups.values():
            self._measure(group)

    def install(self, patches: Patches) -> None:
        """Hooks every layer that applies an activation function or may feed one."""
        if not (self._instrument.wants("activation") or self._instrument.wants("output")):
            return
        for layer in keras_model.inner_layers(self._model):
            if isinstance(layer, ACTIVATION_LAYERS):
                patches.wrap(layer, "call", functools.partial(self._activation_layer, layer))
            elif _recomputable(layer):
                patches.wrap(layer, "call", functools.partial(self._computing_layer, layer))

    def _computing_layer(
        self, layer: Any, call: Any, inputs: Any, *args: Any, **kwargs: Any
    ) -> Any:
        outputs = call(inputs, *args, **kwargs)
        if self._recorder.recording:
            function = getattr(layer, "activation", None)
            if function is None or keras_model.function_name(function) == "linear":
                self._producers[id(outputs)] = (outputs, call, inputs)
            elif _elementwise(function):
                with self._guard.protect(f"the activation of `{self._names[layer]}`"):
                    before = _without_activation(layer, call)
                    again = functools.partial(_again, call, inputs, *args, **kwargs)
                    self._see(layer, function, outputs, inputs, before, again)
        return outputs

    def _activation_layer(
        self, layer: Any, call: Any, inputs: Any, *args: Any, **kwargs: Any
    ) -> Any:
        outputs = call(inputs, *args, **kwargs)
        function = getattr(layer, "activation", None) or call
        if self._recorder.recording and _elementwise(function):
            with self._guard.protect(f"the activation of `{self._names[layer]}`"):
                _, produce, source = self._producers.get(id(inputs), (None, _same, inputs))
                again = functools.partial(_again, lambda x: call(produce(x)), source)
                self._see(layer, function, outputs, source, produce, again)
        return outputs

    def _see(
        self,
        layer: Any,
        function: Function,
        outputs: Tensor,
        source: Tensor,
        before: Function,
        again: Callable[[], Tensor],
    ) -> None:
        """Notes one activation; `before` of `source` is what went into its function."""
        if not self._instrument.selects(self._names[layer]):
            return
        sample = None
        if self._instrument.measures("activation"):
            sample = before(tf.stop_gradient(source[: sample_size(outputs)]))
        row = self._row(layer, function, outputs)
        self._instrument.add_rows("activation", [row])
        key = _function_key(layer, function)
        self._seen.append(_Seen(row, function, key, outputs, again, sample))
        if not (self._recorder.in_step or current_graph() is self._call_graph):
            # In a branch or a loop of the model: what is in there cannot be read from outside.
            outside, self._seen = self._seen[:-1], self._seen[-1:]
            searched, self._searched = self._searched, 0
            self.finish()
            self._seen, self._searched = outside, searched

    def _measure(self, group: list[_Seen]) -> None:
        names = [seen.row.name for seen in group]
        inputs = [seen.inputs for seen in group if seen.inputs is not None]
        samples, units = tf.shape(inputs[0])[0], inputs[0].shape[-1]
        stacked = tf.stack([tf.reshape(one, [-1, units]) for one in inputs])
        before = tf.stop_gradient(tf.cast(stacked, tf.float32))
        function = group[0].function
        with keras.StatelessScope(), tf.GradientTape() as tape:
            tape.watch(before)
            after = tf.cast(function(before), tf.float32)
        context = ActivationContext(
            inputs=before,
            outputs=tf.stop_gradient(after),
            slopes=tape.gradient(after, before),
            steepest=steepest_slope(function) if _is_pure(function) else None,
            silent_samples=self._instrument.silence(names, tf.stop_gradient(after), samples),
        )
        self._instrument.activations(names, context)

    def _row(self, layer: Any, function: Function, outputs: Tensor) -> Row:
        name = self._names[layer]
        self._calls[name] += 1
        nth = self._calls[name]
        return Row(
            name=name if nth == 1 else f"{name} (call {nth})",
            layer=name,
            role="output" if id(layer) in self._output_layers else "hidden",
            size=int(outputs.shape[-1]),
            function=keras_model.function_name(getattr(layer, "activation", None) or layer),
        )


def sample_size(outputs: Tensor) -> int:
    """Returns how many samples of a batch, `[batch, ..., units]`, are looked at."""
    per_sample = outputs.shape[1:].num_elements() or SAMPLE_ELEMENTS
    return max(MIN_SAMPLES, min(MAX_SAMPLES, SAMPLE_ELEMENTS // per_sample))


@functools.cache
def steepest_slope(function: Function) -> float:
    """Returns the largest absolute slope of one of Keras' own activation functions."""
    # By differences: no gradient tape records inside `init_scope`.
    with tf.init_scope():
        points = np.linspace(-10.0, 10.0, 2001, dtype=np.float32)
        values = np.asarray(function(tf.constant(points)))
    return float(np.max(np.abs(np.diff(values) / np.diff(points))))


def _again(call: Function, inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    with keras.StatelessScope():
        return call(tf.stop_gradient(inputs), *args, **kwargs)


def _without_activation(layer: Any, call: Any) -> Function:
    def compute(inputs: Tensor) -> Tensor:
        # The stateless scope drops whatever a layer would update on the way, seeds included.
        with keras.StatelessScope(), _swapped(layer, "activation", keras.activations.linear):
            return call(inputs)

    return compute


@contextlib.contextmanager
def _swapped(layer: Any, name: str, value: Any) -> Iterator[None]:
    attributes = vars(layer)
    original = attributes[name]
    attributes[name] = value
    try:
        yield
    finally:
        attributes[name] = original


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _recomputable(layer: Any) -> bool:
    return isinstance(layer, (keras.layers.Dense, keras.layers.EinsumDense)) or hasattr(
        layer, "convolution_op"
    )


def _elementwise(function: Function) -> bool:
    return keras_model.function_name(function) not in _NOT_ELEMENTWISE


def _function_key(layer: Any, function: Function) -> Hashable:
    """Returns what two layers have in common whose activation functions are the same."""
    if getattr(layer, "activation", None) is not None:
        return function
    if layer.weights:
        return id(layer)
    config = {k: v for k, v in layer.get_config().items() if k not in ("name", "dtype")}
    return type(layer), repr(sorted(config.items()))


def _is_pure(function: Function) -> bool:
    return getattr(function, "__module__", "").startswith("keras.src.activations")
