"""`probe`: lets Gradient Health look at a tensor inside a layer or a loop of one's own."""

from __future__ import annotations

import contextlib
import contextvars
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import tensorflow as tf

from tensorboard_gradhealth.lazy import unconverted
from tensorboard_gradhealth.signals._base import ActivationContext
from tensorboard_gradhealth.training.device.instrument import Instrument
from tensorboard_gradhealth.training.guard import Guard
from tensorboard_gradhealth.training.hooks.activation_hooks import sample_size, steepest_slope
from tensorboard_gradhealth.training.hooks.traces import Traces
from tensorboard_gradhealth.training.model import keras_model
from tensorboard_gradhealth.types import Row

Tensor = Any
Function = Callable[[Tensor], Tensor]
T = TypeVar("T")


@unconverted
def probe(x: T, name: str, function: Function | None = None) -> T:
    """Returns `x`, and measures it as an activation where a training step is being recorded.

    Anywhere else, as in `predict`, in a saved model or without a monitor, it does nothing at all.

    >>> h = gradhealth.probe(tf.nn.gelu(z), "ffn")                  # doctest: +SKIP
    >>> h = tf.nn.gelu(gradhealth.probe(z, "ffn", tf.nn.gelu))      # doctest: +SKIP

    Args:
      x: float `[batch, ..., units]`: what an activation function put out or, with `function`,
        what goes into it.
      name: Of the row in the log. A name that comes again in the same step is numbered.
      function: The activation function that `x` goes into, elementwise and without side effects.
        It gives gain, slope and saturation beside zero and dead outputs. It is applied once more,
        to a few samples, and since TensorFlow must then keep `x`, rounding may differ in the last
        bit from that of a step without the probe.

    Returns:
      `x` itself.
    """
    probes = _ACTIVE.get()
    if probes is not None:
        probes.take(x, name, function)
    return x


class Probes:
    """Takes what `probe` is given while a step is recorded."""

    def __init__(self, instrument: Instrument, guard: Guard) -> None:
        self._instrument = instrument
        self._guard = guard
        self._traces = Traces()
        self._calls: Counter[str] = Counter()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Makes this the taker, in this thread, of all that is probed inside."""
        self._traces.begin()
        self._calls.clear()
        token = _ACTIVE.set(self)
        try:
            yield
        finally:
            _ACTIVE.reset(token)

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Goes on being the taker in another thread, as each replica of a strategy has its own."""
        token = _ACTIVE.set(self)
        try:
            yield
        finally:
            _ACTIVE.reset(token)

    def take(self, x: Tensor, name: str, function: Function | None) -> None:
        """Measures one activation."""
        if self._instrument.wants("activation"):
            with self._guard.protect(f"the probe `{name}`"):
                self._measure(tf.stop_gradient(tf.convert_to_tensor(x)), name, function)

    def _measure(self, x: Tensor, name: str, function: Function | None) -> None:
        row = self._row(x, name, function)
        self._instrument.add_rows("activation", [row])
        self._instrument.outputs([row.name], [x])
        if not self._instrument.measures("activation"):
            return
        sample = x[: sample_size(x)]
        values = tf.reshape(tf.cast(sample, tf.float32), [1, -1, row.size])
        before, after, slopes = _around(function, values)
        context = ActivationContext(
            inputs=before,
            outputs=after,
            slopes=slopes,
            steepest=_steepest(function),
            silent_samples=self._instrument.silence([row.name], after, tf.shape(sample)[0]),
        )
        self._instrument.activations([row.name], context)

    def _row(self, x: Tensor, name: str, function: Function | None) -> Row:
        if not x.dtype.is_floating or (x.shape.rank or 0) < 2 or x.shape[-1] is None:
            raise ValueError(f"it is {x.dtype.name} {x.shape}, not float [batch, ..., units]")
        if self._traces.again():
            self._calls.clear()
        self._calls[name] += 1
        nth = self._calls[name]
        return Row(
            name=name if nth == 1 else f"{name} (call {nth})",
            layer=name,
            role="hidden",
            size=int(x.shape[-1]),
            function="" if function is None else keras_model.function_name(function),
        )


_ACTIVE: contextvars.ContextVar[Probes | None] = contextvars.ContextVar("gradhealth", default=None)


def _around(
    function: Function | None, values: Tensor
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Returns what goes into an activation function, what comes out, and the derivative there."""
    if function is None:
        return None, values, None
    with tf.GradientTape() as tape:
        tape.watch(values)
        outputs = function(values)
    return values, tf.stop_gradient(outputs), tape.gradient(outputs, values)


def _steepest(function: Function | None) -> float | None:
    """Returns the largest slope of a library's function; one made on the spot is not remembered."""
    module = str(getattr(function, "__module__", ""))
    if function is None or not module.startswith(("keras.", "tensorflow.")):
        return None
    return steepest_slope(function)
