"""The calls that take NumPy arrays and return a `Summary`; they need no TensorFlow.

One log has one list of variables, one of activations and one of inputs: hand the same names in
the same order to `layout_pb` and to the calls that log them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto import summary_pb2

from tensorboard_gradhealth.naming import feature_rows, variable_row
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import (
    NumpyGradientContext,
    OutputContext,
    StepContext,
    UpdateContext,
    squared_norm_numpy,
)
from tensorboard_gradhealth.signals.dead_fraction import SAMPLES
from tensorboard_gradhealth.storage import codec
from tensorboard_gradhealth.summary._checks import (
    check_activations,
    check_inputs,
    check_matching,
    check_numbers,
    check_one_of,
    check_some_gradient,
)
from tensorboard_gradhealth.summary._from_arrays import (
    Memory,
    activation_context,
    as_arrays,
    as_given,
    as_summary,
    measure,
    merged_features,
    named_arrays,
    spread,
)
from tensorboard_gradhealth.types import NOT_MEASURED, Axis, Row, RunInfo


def layout_pb(
    *,
    variables: Mapping[str, npt.ArrayLike] | None = None,
    activations: Mapping[str, npt.ArrayLike] | None = None,
    functions: Mapping[str, str] | None = None,
    inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Any:
    """Describes what the other calls log; to be written once, at the first step.

    Args:
      variables: By name, as for `gradients_pb` and `updates_pb`; only shapes are used. The part
        of a name before its last slash is the layer, and the part after it says what the variable
        is: `kernel`, `bias`, `embeddings`, `gamma`, `beta`.
      activations: By name, as for `activations_pb`; only shapes are used.
      functions: Names of the activation functions, such as `relu`, for any of the activations.
      inputs: As for `inputs_pb`; only shapes are used.
      facts: What the rules may know of the run, as JSON values: `optimizer` and `loss` (their
        names), `input_normalised`, `loss_scaled` (whether).

    Returns:
      A `Summary` proto.

    Raises:
      ValueError: `functions` names an activation that there is not, or an activation or an input
        is not what the other calls accept.
    """
    outputs, named = as_arrays(activations or {}), named_arrays(inputs)
    functions = functions or {}
    rows: dict[Axis, tuple[Row, ...]] = {"run": (Row(""),)}
    if variables:
        shapes = {name: np.shape(value) for name, value in variables.items()}
        rows["variable"] = tuple(variable_row(name, shape) for name, shape in shapes.items())
    if outputs or functions:
        check_activations("layout_pb", as_given(outputs), {"functions": dict.fromkeys(functions)})
        rows["activation"] = tuple(
            Row(name, name, "hidden", value.shape[-1], functions.get(name, ""))
            for name, value in outputs.items()
        )
    if named:
        check_inputs("layout_pb", as_given(named))
        groups = [feature_rows(name, value.shape, "input") for name, value in named.items()]
        rows["feature"] = tuple(row for group in groups for row in group)
    specs = {signal.spec.name: signal.spec for signal in all_signals() if signal.measure_numpy}
    return summary_pb2.Summary(value=codec.info_values(RunInfo(rows, specs, dict(facts or {}))))


def gradients_pb(gradients: Mapping[str, npt.ArrayLike | None]) -> Any:
    """Returns the norm and the non-finite elements of each gradient, and the global norm.

    Args:
      gradients: Float arrays by name of the variable, in loss per parameter unit; `None` for a
        variable that the loss does not depend on. Unscale them first where the loss is scaled,
        and hand them in before clipping.

    Returns:
      A `Summary` proto.

    Raises:
      ValueError: There is no gradient, or one is not an array of floats.
    """
    check_some_gradient("gradients_pb", gradients.values())
    known = as_arrays({n: g for n, g in gradients.items() if g is not None})
    check_matching("gradients_pb", "gradients", as_given(known), as_given(known))
    present = [i for i, gradient in enumerate(gradients.values()) if gradient is not None]
    context = NumpyGradientContext(list(known.values()))
    measured = measure("gradient", context)
    values = {signal: spread(each, present, len(gradients)) for signal, each in measured.items()}
    values.update(measure("step", StepContext(squared_norms=context.squared_norms)))
    return as_summary(values)


def updates_pb(
    after: Mapping[str, npt.ArrayLike],
    *,
    before: Mapping[str, npt.ArrayLike] | None = None,
    changes: Mapping[str, npt.ArrayLike] | None = None,
) -> Any:
    """Returns how far a step moved each variable relative to its size, and the size itself.

    Args:
      after: Float arrays by name: the variables after the step.
      before: The variables before it, by the same names.
      changes: Value after minus value before, by the same names; instead of `before`.

    Returns:
      A `Summary` proto.

    Raises:
      ValueError: Not exactly one of `before` and `changes` was given, or it does not match
        `after`.
    """
    what = check_one_of("updates_pb", before=before, changes=changes)
    given, new = as_arrays(before or changes or {}), as_arrays(after)
    check_matching("updates_pb", what, as_given(given), as_given(new))
    with np.errstate(all="ignore"):
        others = {name: new[name] - value for name, value in given.items()}
        old, moved = (given, others) if what == "before" else (others, given)
        context = UpdateContext(
            squared_changes=np.array([squared_norm_numpy(change) for change in moved.values()]),
            squared_weights=np.array([squared_norm_numpy(value) for value in old.values()]),
            variables=list(new.values()),
        )
    return as_summary(measure("update", context))


def activations_pb(
    outputs: Mapping[str, npt.ArrayLike],
    *,
    inputs: Mapping[str, npt.ArrayLike] | None = None,
    slopes: Mapping[str, npt.ArrayLike] | None = None,
    memory: Memory | None = None,
) -> Any:
    """Returns how much of each activation is zero, dead, saturated or lost.

    Args:
      outputs: Activation outputs, float `[batch, ..., units]` by name, in network order.
      inputs: What went into the activation functions, shaped alike, for any of the names; gives
        the gain.
      slopes: The derivatives there, shaped alike, for any of the names; give slope and saturation.
      memory: The same dict at every call, empty at first. A unit counts as dead once it was silent
        on 512 samples in a row; without a memory only a batch of that size can tell.

    Returns:
      A `Summary` proto.

    Raises:
      ValueError: `outputs` is empty, an activation is not an array of floats of rank 2 or more,
        or `inputs` or `slopes` has a name that `outputs` lacks or another shape.
    """
    arrays, before, steep = as_arrays(outputs), as_arrays(inputs or {}), as_arrays(slopes or {})
    others = {"inputs": as_given(before), "slopes": as_given(steep)}
    check_activations("activations_pb", as_given(arrays), others)
    silence: Memory = {} if memory is None else memory
    per_row = [
        measure("activation", activation_context(name, value, before, steep, silence))
        for name, value in arrays.items()
    ]
    values = measure("output", OutputContext.of(list(arrays.values())))
    for signal in dict.fromkeys(signal for row in per_row for signal in row):
        present = [i for i, row in enumerate(per_row) if signal in row]
        measured = np.concatenate([per_row[i][signal] for i in present])
        values[signal] = spread(measured, present, len(per_row))
    if memory is None:
        small = [value.shape[0] < SAMPLES for value in arrays.values()]
        values["dead_fraction"] = np.where(small, NOT_MEASURED, values["dead_fraction"])
    return as_summary(values)


def inputs_pb(
    inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike], *, memory: Memory | None = None
) -> Any:
    """Returns the scale of each input feature so far, and NaN and infinity in this batch.

    Args:
      inputs: Floats `[batch, ..., features]`, or several of them by name.
      memory: The same dict at every call, empty at first: the statistics go on over the calls.
        Without it they are of this batch alone.

    Returns:
      A `Summary` proto.

    Raises:
      ValueError: There is no input, or one is not an array of floats with a batch axis.
    """
    arrays = named_arrays(inputs)
    check_inputs("inputs_pb", as_given(arrays))
    state: Memory = {} if memory is None else memory
    parts = [merged_features(name, value, state) for name, value in arrays.items()]
    summary = as_summary(measure("step", StepContext(inputs=list(arrays.values()))))
    for signal in parts[0]:
        merged = np.concatenate([part[signal] for part in parts])
        summary.value.append(codec.signal_value(signal, merged))
    return summary


def training_pb(
    *,
    loss: npt.ArrayLike | None = None,
    learning_rate: npt.ArrayLike | None = None,
    validation_loss: npt.ArrayLike | None = None,
) -> Any:
    """Returns the loss of the batch, the learning rate and the loss on other data.

    Args:
      loss: One number, of this batch (not a running mean).
      learning_rate: One number, as the step used it.
      validation_loss: One number, on data that is not trained on, where it was computed.

    Returns:
      A `Summary` proto.

    Raises:
      ValueError: None was given, or one is not a single number.
    """
    numbers = {"loss": loss, "learning_rate": learning_rate, "validation_loss": validation_loss}
    given = as_given(
        as_arrays({name: value for name, value in numbers.items() if value is not None})
    )
    check_numbers("training_pb", **{name: given.get(name) for name in numbers})
    values = measure("step", StepContext(loss, learning_rate))
    if validation_loss is not None:
        values["validation_loss"] = np.asarray(validation_loss)
    return as_summary(values)
