"""The calls that take tensors and write through the default writer of `tf.summary`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorboard_gradhealth.lazy import tf, unconverted
from tensorboard_gradhealth.naming import feature_rows
from tensorboard_gradhealth.signals._base import (
    GradientContext,
    OutputContext,
    StepContext,
    UpdateContext,
)
from tensorboard_gradhealth.signals._norm import squared_norm
from tensorboard_gradhealth.summary._checks import (
    check_activations,
    check_inputs,
    check_numbers,
    check_one_of,
    check_some_gradient,
)
from tensorboard_gradhealth.summary._from_tensors import (
    activation_context,
    activation_row,
    as_given,
    check_list,
    measure,
    merged_features,
    variable_rows,
)
from tensorboard_gradhealth.summary._writing import (
    Log,
    describe,
    if_recording,
    spread,
    write,
    write_folded,
)
from tensorboard_gradhealth.types import Row

Tensor = Any
Step = Any  # int, int64 `[]`, or None for the default step


@unconverted
def gradients(
    gradients: Sequence[Tensor | None], variables: Sequence[Any], step: Step = None
) -> Tensor:
    """Logs the norm and the non-finite elements of each gradient, and the global norm.

    Args:
      gradients: V gradients, dense or `tf.IndexedSlices`, in loss per parameter unit; `None` for
        a variable that the loss does not depend on. Unscale them first where the loss is scaled,
        and hand them in before clipping.
      variables: The V variables that they belong to; their names become the rows. All calls
        through one writer take the same variables in the same order.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      ValueError: The gradients do not match the variables, all are `None`, or there is a writer
        but no step.
    """
    gradients, variables = list(gradients), list(variables)
    rows = variable_rows(variables)
    check_list("gradients", "gradients", gradients, variables)
    check_some_gradient("gradients", gradients)
    present = [i for i, gradient in enumerate(gradients) if gradient is not None]

    def record(log: Log) -> Tensor:
        describe(log, "variable", rows)
        context = GradientContext([gradients[i] for i in present])
        for signal, values in measure("gradient", context):
            write_folded(signal, spread(values, present, len(rows)), step)
        return _write_step(StepContext(squared_norms=context.squared_norms), step)

    return if_recording(record)


@unconverted
def updates(
    variables: Sequence[Any],
    *,
    before: Sequence[Tensor] | None = None,
    changes: Sequence[Tensor] | None = None,
    step: Step = None,
) -> Tensor:
    """Logs how far a step moved each variable relative to its size, and the size itself.

    Call it after the optimizer, with what the variables held before it or with how much they
    changed:

    >>> before = [tf.identity(variable) for variable in variables]     # doctest: +SKIP
    >>> optimizer.apply_gradients(zip(gradients, variables))           # doctest: +SKIP
    >>> gradhealth.summary.updates(variables, before=before, step=step)  # doctest: +SKIP

    Args:
      variables: The V variables after the step, the same as in `gradients`.
      before: Their values before the step, V tensors.
      changes: Their changes, value after minus value before, V tensors; instead of `before`.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      ValueError: Not exactly one of `before` and `changes` was given, it does not match the
        variables, or there is a writer but no step.
    """
    variables = list(variables)
    what = check_one_of("updates", before=before, changes=changes)
    given = list(before or changes or ())
    check_list("updates", what, given, variables)
    rows = variable_rows(variables)

    def record(log: Log) -> Tensor:
        describe(log, "variable", rows)
        after = [tf.convert_to_tensor(variable) for variable in variables]
        pairs = list(zip(after, map(tf.convert_to_tensor, given), strict=True))
        others = [value - other for value, other in pairs]
        old, moved = (given, others) if what == "before" else (others, given)
        context = UpdateContext(
            squared_changes=tf.stack([squared_norm(change) for change in moved]),
            squared_weights=tf.stack([squared_norm(value) for value in old]),
            variables=after,
        )
        measured = measure("update", context)
        return [write_folded(signal, values, step) for signal, values in measured][-1]

    return if_recording(record)


@unconverted
def activations(
    outputs: Mapping[str, Tensor],
    *,
    inputs: Mapping[str, Tensor] | None = None,
    functions: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
    step: Step = None,
) -> Tensor:
    """Logs how much of each activation is zero, dead, saturated or lost.

    Zero and dead fractions need the outputs alone; the gain needs what went into the function as
    well; slope and saturation need the function too, which is then applied once more. A unit counts
    as dead once it was silent on 512 samples in a row, over all calls through the same writer.

    Args:
      outputs: Activation outputs, float `[batch, ..., units]` by name, in network order. All calls
        through one writer take the same names.
      inputs: What went into the activation functions, shaped alike, for any of the names.
      functions: The activation functions, elementwise and without side effects.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      ValueError: `outputs` is empty, an activation is not a float tensor of rank 2 or more with
        a known number of units, `inputs` or `functions` has a name that `outputs` lacks or
        another shape, or there is a writer but no step.
    """
    inputs, functions = inputs or {}, functions or {}
    outputs = {name: tf.convert_to_tensor(value) for name, value in outputs.items()}
    inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
    others = {"inputs": as_given(inputs), "functions": dict.fromkeys(functions)}
    check_activations("activations", as_given(outputs), others)
    rows = [activation_row(n, value, functions.get(n)) for n, value in outputs.items()]

    def record(log: Log) -> Tensor:
        describe(log, "activation", rows)
        for signal, values in measure("output", OutputContext.of(list(outputs.values()))):
            write_folded(signal, values, step)
        contexts = [
            activation_context(log, name, value, inputs.get(name), functions.get(name))
            for name, value in outputs.items()
        ]
        per_row = [dict(measure("activation", context)) for context in contexts]
        written = tf.constant(False)
        for signal in dict.fromkeys(signal for values in per_row for signal in values):
            present = [i for i, values in enumerate(per_row) if signal in values]
            values = tf.concat([per_row[i][signal] for i in present], axis=0)
            written = write_folded(signal, spread(values, present, len(rows)), step)
        return written

    return if_recording(record)


@unconverted
def inputs(inputs: Tensor | Mapping[str, Tensor], step: Step = None) -> Tensor:
    """Logs the scale of each input feature so far, and NaN and infinity in this batch.

    The statistics go on over all calls through the same writer.

    Args:
      inputs: float `[batch, ..., features]`, or several of them by name.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      ValueError: There is no input, one is not a float tensor with a batch axis, or there is a
        writer but no step.
    """
    named = inputs if isinstance(inputs, Mapping) else {"x": inputs}
    batches = {name: tf.convert_to_tensor(value) for name, value in named.items()}
    check_inputs("inputs", as_given(batches))
    groups = {n: feature_rows(n, value.shape.as_list(), "input") for n, value in batches.items()}

    def record(log: Log) -> Tensor:
        describe(log, "feature", [row for rows in groups.values() for row in rows])
        parts = [
            merged_features(log, name, value, len(groups[name])) for name, value in batches.items()
        ]
        for signal in parts[0]:
            write(signal, tf.concat([part[signal] for part in parts], axis=0), step)
        return _write_step(StepContext(inputs=list(batches.values())), step)

    return if_recording(record)


@unconverted
def training(
    *,
    loss: Tensor | None = None,
    learning_rate: Tensor | None = None,
    validation_loss: Tensor | None = None,
    step: Step = None,
) -> Tensor:
    """Logs the loss of the batch, the learning rate and the loss on other data.

    Args:
      loss: float `[]`, of this batch (not a running mean).
      learning_rate: float `[]`, as the step used it.
      validation_loss: float `[]`, on data that is not trained on, where it was computed.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      ValueError: None was given, one is not a single number, or there is a writer but no step.
    """
    numbers = {"loss": loss, "learning_rate": learning_rate, "validation_loss": validation_loss}
    tensors = {k: None if v is None else tf.convert_to_tensor(v) for k, v in numbers.items()}
    check_numbers("training", **as_given(tensors))

    def record(log: Log) -> Tensor:
        if "run" not in log.rows:
            describe(log, "run", [Row("")])
        return _write_step(StepContext(tensors["loss"], tensors["learning_rate"]), step) | (
            _write_validation(tensors["validation_loss"], step)
        )

    return if_recording(record)


def _write_step(context: StepContext, step: Step) -> Tensor:
    written = tf.constant(False)
    for signal, value in measure("step", context):
        written = write_folded(signal, tf.reshape(tf.cast(value, tf.float32), [1]), step)
    return written


def _write_validation(loss: Tensor | None, step: Step) -> Tensor:
    if loss is None:
        return tf.constant(False)
    return write_folded("validation_loss", tf.reshape(tf.cast(loss, tf.float32), [1]), step)
