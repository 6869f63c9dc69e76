"""What the calls with tensors measure in them, and say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.naming import unique, variable_row
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import ActivationContext, Phase, RunningContext
from tensorboard_gradhealth.signals.dead_fraction import silent_units
from tensorboard_gradhealth.summary._checks import Given, check_matching
from tensorboard_gradhealth.summary._writing import Log
from tensorboard_gradhealth.types import Row

Tensor = Any


def measure(phase: Phase, context: Any) -> list[tuple[str, Tensor]]:
    """Returns the values of every signal of a phase that the context is enough for."""
    measured = ((s.spec.name, s.measure(context)) for s in all_signals() if s.phase == phase)
    return [(name, value) for name, value in measured if value is not None]


def activation_context(
    log: Log,
    name: str,
    outputs: Tensor,
    inputs: Tensor | None,
    function: Callable[[Tensor], Tensor] | None,
) -> ActivationContext:
    """Returns what is known of one activation, and notes in the log for how long it was silent."""
    values = _as_sample(outputs)
    before = None if inputs is None else _as_sample(inputs)
    slopes = None
    if before is not None and function is not None:
        with tf.GradientTape() as tape:
            tape.watch(before)
            after = function(before)
        slopes = tape.gradient(after, before)
    silent = log.remembered(f"silent/{name}", [1, values.shape[-1]])
    longer = silent + tf.cast(tf.shape(outputs)[0], tf.float32)
    updated = tf.where(silent_units(values), longer, 0.0)
    silent.assign(updated)
    return ActivationContext(before, values, slopes, silent_samples=updated)


def merged_features(log: Log, name: str, value: Tensor, rows: int) -> dict[str, Tensor]:
    """Adds a batch to the statistics in the log and returns them, `[rows, fields]` by signal."""
    samples = tf.reshape(tf.cast(value, tf.float32), [-1, rows])
    merged = {}
    for signal in all_signals():
        if signal.phase == "feature":
            fields = len(signal.spec.fields)
            state = log.remembered(f"{signal.spec.name}/{name}", [rows, fields])
            merged[signal.spec.name] = signal.measure(RunningContext(samples, state.read_value()))
            state.assign(merged[signal.spec.name])
    return merged


def _as_sample(value: Tensor) -> Tensor:
    """Returns `[batch, ..., units]` as float32 `[1, n, units]`."""
    value = tf.convert_to_tensor(value)
    return tf.reshape(tf.cast(value, tf.float32), [1, -1, value.shape[-1]])


def variable_rows(variables: Sequence[Any]) -> list[Row]:
    """Returns the rows of variables, of which several may have one name."""
    paths = [getattr(v, "path", None) or str(v.name).removesuffix(":0") for v in variables]
    shapes = [tf.TensorShape(variable.shape).as_list() for variable in variables]
    return [variable_row(*pair) for pair in zip(unique(paths), shapes, strict=True)]


def activation_row(name: str, value: Tensor, function: Callable[[Tensor], Tensor] | None) -> Row:
    """Returns the row of an activation, a function without a name of its own left out."""
    called = str(getattr(function, "__name__", ""))
    return Row(name, name, "hidden", int(value.shape[-1]), "" if "<" in called else called)


def check_list(
    call: str, what: str, values: Sequence[Tensor | None], variables: Sequence[Any]
) -> None:
    """Refuses values that are not one for each variable, alike in shape."""
    if len(values) != len(variables):
        raise ValueError(
            f"summary.{call} got {len(values)} {what} and {len(variables)} variables. It takes "
            "one for each variable, in the same order."
        )
    names = [row.name for row in variable_rows(variables)]
    described = as_given(dict(zip(names, variables, strict=True)))
    check_matching(call, what, as_given(dict(zip(names, values, strict=True))), described)


def as_given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns types and shapes by name, as the checks take them."""
    return {name: None if value is None else _one_given(value) for name, value in values.items()}


def _one_given(value: Any) -> Given:
    shape = tf.TensorShape(value.shape)
    lengths = shape.as_list() if shape.rank is not None else ()
    return Given(tf.as_dtype(value.dtype).name, tuple(lengths))
