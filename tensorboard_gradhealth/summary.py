"""Logs what Gradient Health shows from any training loop, with the conventions of `tf.summary`.

Everything is written through the active default writer, at `step` or the default step, under
`tf.summary.record_if`; without a writer nothing happens. All functions may be used eagerly and
inside `tf.function`. Inside `jit_compile=True` no summary can be written: return the tensors from
the compiled function and log them outside.

>>> writer = tf.summary.create_file_writer("logs/run1")               # doctest: +SKIP
>>> with writer.as_default():                                         # doctest: +SKIP
...     gradhealth.summary.gradients(gradients, model.trainable_variables, step=step)
...     gradhealth.summary.training(loss=loss, learning_rate=1e-3, step=step)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorboard.compat.proto import summary_pb2
from tensorflow.python.ops import summary_ops_v2

from tensorboard_gradhealth.naming import variable_role
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import (
    ActivationContext,
    GradientContext,
    Phase,
    StepContext,
)
from tensorboard_gradhealth.signals.dead_fraction import SAMPLES, silent_units
from tensorboard_gradhealth.storage import codec, metadata
from tensorboard_gradhealth.storage.plugin_data_pb2 import PluginData
from tensorboard_gradhealth.types import FOLDED, NOT_MEASURED, Axis, Row, RunInfo

Tensor = Any

_WRITTEN = "_gradhealth_rows"


def gradients(
    gradients: Sequence[Tensor | None], variables: Sequence[Any], step: int | Tensor | None = None
) -> Tensor:
    """Logs the norm and the non-finite elements of each gradient, and the global norm.

    Args:
      gradients: V gradients, dense or `tf.IndexedSlices`, in loss per parameter unit; `None` for
        a variable that the loss does not depend on. Unscale them first where the loss is scaled,
        and hand them in before clipping.
      variables: The V variables that they belong to; their names become the rows.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      ValueError: The two lists differ in length or are empty, or there is a writer but no step.
    """
    gradients, variables = list(gradients), list(variables)
    if not gradients or len(gradients) != len(variables):
        raise ValueError(
            f"summary.gradients got {len(gradients)} gradients and {len(variables)} variables. "
            "It takes one gradient (or None) for each variable, in the same order: "
            "summary.gradients(tape.gradient(loss, variables), variables, step=step)."
        )
    rows = [_variable_row(variable) for variable in variables]
    present = [i for i, gradient in enumerate(gradients) if gradient is not None]
    if not present:
        raise ValueError(
            "summary.gradients got None for every gradient: the loss uses no variable."
        )
    context = GradientContext([gradients[i] for i in present])
    written = _write_all("gradient", context, rows, present, step)
    _write_all("step", StepContext(squared_norms=context.squared_norms), [Row("")], [0], step)
    return written


def activations(
    outputs: Mapping[str, Tensor],
    *,
    inputs: Mapping[str, Tensor] | None = None,
    functions: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
    step: int | Tensor | None = None,
) -> Tensor:
    """Logs how much of each activation is zero, dead, saturated or lost.

    Zero and dead fractions need the outputs alone; the gain needs what went into the function as
    well; slope and saturation need the function too, which is then applied once more. A unit counts
    as dead when it is silent on all of at least 512 samples; with smaller batches that is not
    measured (`HealthCallback` adds batches up).

    Args:
      outputs: Activation outputs, float `[batch, ..., units]` by name, in network order.
      inputs: What went into the activation functions, shaped alike, for any of the names.
      functions: The activation functions, elementwise and without side effects.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      ValueError: `outputs` is empty, an activation is not a float tensor of rank 2 or more, or
        `inputs` or `functions` has a name that `outputs` lacks.
    """
    inputs, functions = inputs or {}, functions or {}
    _check_activations(outputs, inputs, functions)
    rows = [
        Row(name, layer=name, role="hidden", size=int(value.shape[-1] or 1))
        for name, value in outputs.items()
    ]
    contexts = [
        _activation_context(tf.convert_to_tensor(value), inputs.get(name), functions.get(name))
        for name, value in outputs.items()
    ]
    _describe("activation", rows)
    written = tf.constant(False)
    for signal in all_signals():
        if signal.phase == "activation":
            values = [_or_absent(signal.measure(context)) for context in contexts]
            if signal.spec.name == "dead_fraction":
                values = [_if_enough(v, c.outputs) for v, c in zip(values, contexts, strict=True)]
            written = _write(signal.spec.name, tf.stack(values), step)
    return written


def training(
    *,
    loss: float | Tensor | None = None,
    learning_rate: float | Tensor | None = None,
    step: int | Tensor | None = None,
) -> Tensor:
    """Logs the loss of the batch and the learning rate.

    Args:
      loss: float `[]`, of this batch (not a running mean).
      learning_rate: float `[]`, as the step used it.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      ValueError: Neither was given.
    """
    if loss is None and learning_rate is None:
        raise ValueError("summary.training got nothing to log: give loss=, learning_rate= or both.")
    return _write_all("step", StepContext(loss, learning_rate), [Row("")], [0], step)


def _write_all(
    phase: Phase, context: Any, rows: Sequence[Row], present: Sequence[int], step: Any
) -> Tensor:
    """Writes all signals of a phase; `present` are the rows that the context speaks of."""
    if phase == "gradient":
        _describe("variable", rows)
    written = tf.constant(False)
    for signal in all_signals():
        if signal.phase == phase and not (
            phase == "step" and signal.spec.name == "input_nonfinite"
        ):
            value = signal.measure(context)
            if value is not None:
                values = tf.reshape(tf.cast(value, tf.float32), [-1])
                everywhere = tf.fill([len(rows)], NOT_MEASURED)
                at = tf.constant(present)[:, tf.newaxis]
                values = tf.tensor_scatter_nd_update(everywhere, at, values)
                written = _write(signal.spec.name, values, step)
    return written


def _write(signal: str, values: Tensor, step: Any) -> Tensor:
    folded = tf.repeat(values[:, tf.newaxis], len(FOLDED), axis=1)
    meta = metadata.create_summary_metadata(PluginData.SIGNAL)
    return tf.summary.write(metadata.signal_tag(signal), folded, step=step, metadata=meta)


def _describe(axis: Axis, rows: Sequence[Row]) -> None:
    """Writes names and signal descriptions, once per writer, at trace time inside `tf.function`."""
    with tf.init_scope():
        writer = summary_ops_v2._summary_state.writer
        if writer is None or getattr(writer, _WRITTEN, {}).get(axis) == rows:
            return
        setattr(writer, _WRITTEN, {**getattr(writer, _WRITTEN, {}), axis: rows})
        specs = {signal.spec.name: signal.spec for signal in all_signals()}
        values = codec.info_values(RunInfo({axis: tuple(rows)}, specs))
        summary = summary_pb2.Summary(value=values).SerializeToString()
        with tf.summary.record_if(True):
            tf.summary.experimental.write_raw_pb(summary, step=0)


def _activation_context(
    outputs: Tensor, inputs: Tensor | None, function: Callable[[Tensor], Tensor] | None
) -> ActivationContext:
    values = tf.cast(outputs, tf.float32)
    before = None if inputs is None else tf.cast(inputs, tf.float32)
    slopes = None
    if before is not None and function is not None:
        with tf.GradientTape() as tape:
            tape.watch(before)
            after = function(before)
        slopes = tape.gradient(after, before)
    samples = tf.cast(tf.shape(values)[0], tf.float32)
    silent = tf.where(silent_units(values), samples, 0.0)
    return ActivationContext(outputs, before, values, slopes, silent_samples=silent)


def _or_absent(value: Tensor | None) -> Tensor:
    return tf.constant(NOT_MEASURED) if value is None else value


def _if_enough(dead: Tensor, outputs: Tensor) -> Tensor:
    return tf.where(tf.cast(tf.shape(outputs)[0], tf.float32) >= SAMPLES, dead, NOT_MEASURED)


def _variable_row(variable: Any) -> Row:
    name = getattr(variable, "path", None) or str(variable.name).removesuffix(":0")
    shape = tf.TensorShape(variable.shape)
    role = variable_role(name, shape.rank or 0)
    size = int(shape.num_elements() or 1)
    return Row(name, layer=name.rpartition("/")[0], role=role, size=size)


def _check_activations(
    outputs: Mapping[str, Tensor], inputs: Mapping[str, Any], functions: Mapping[str, Any]
) -> None:
    if not outputs:
        raise ValueError('summary.activations got no activation: give {"name": tensor, ...}.')
    for name, value in outputs.items():
        tensor = tf.convert_to_tensor(value)
        if not tensor.dtype.is_floating or tensor.shape.rank is None or tensor.shape.rank < 2:
            raise ValueError(
                f"summary.activations got {name!r} as {tensor.dtype.name} {tensor.shape}. "
                "It takes float tensors [batch, ..., units]."
            )
    for given, names in (("inputs", inputs), ("functions", functions)):
        unknown = sorted(set(names) - set(outputs))
        if unknown:
            raise ValueError(
                f"summary.activations got {given} for {unknown}, which are not among the outputs "
                f"{sorted(outputs)}."
            )
