"""Logs the curvature of a loss, from any loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto import summary_pb2

from tensorboard_gradhealth.lazy import tf, unconverted
from tensorboard_gradhealth.naming import unique, variable_row
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import CurvatureContext
from tensorboard_gradhealth.storage import codec
from tensorboard_gradhealth.summary._writing import Log, describe, if_recording, tell, write
from tensorboard_gradhealth.types import FOLDED, NOT_MEASURED, Row

Tensor = Any

SIGNALS = tuple(signal for signal in all_signals() if signal.phase == "curvature")


@unconverted
def curvature(
    loss_fn: Callable[..., Tensor],
    variables: Sequence[Any],
    *,
    batch: Sequence[Any] = (),
    optimizer: Any = None,
    batch_size: int | None = None,
    step: Any = None,
) -> Tensor:
    """Logs sharpness, trace and curvature along the gradient, and how stable the steps are.

    It takes some 50 products with the Hessian, each the time of about three gradients: call it
    once in many steps. Hand in the same `loss_fn` each time: it is traced when it is first seen.

    Args:
      loss_fn: `loss_fn(*batch)`: the loss as a float `[]`, a mean over examples. It must be pure:
        no dropout that draws anew and no statistics that are updated, or made so by its arguments.
      variables: What it is differentiated by: Keras or TensorFlow variables, which it reads.
      batch: Its arguments: tensors, arrays, nests of them.
      optimizer: The Keras optimizer of `variables`; gives the stability margin, or the reason why
        there is none.
      batch_size: Examples that are differentiated at a time, which bounds memory.
      step: Training step, int64 `[]`; the default step if `None`.

    Returns:
      bool `[]`: whether anything was recorded.

    Raises:
      NotMeasurable: The loss has no second derivative or is not pure; says why.
      RuntimeError: It is called inside a `tf.function`: eigenvalues are found on the host.
      ValueError: There are no variables, or there is a writer but no step.
    """
    variables = list(variables)
    if not variables:
        raise ValueError("summary.curvature got no variables to differentiate by.")
    if not tf.executing_eagerly():
        raise RuntimeError(
            "summary.curvature was called inside a tf.function; it finds eigenvalues on the host. "
            "Call it outside, in the loop."
        )
    names = unique(getattr(v, "path", None) or v.name.removesuffix(":0") for v in variables)
    rows = [variable_row(name, tuple(v.shape)) for name, v in zip(names, variables, strict=True)]

    def record(log: Log) -> Tensor:
        if "run" not in log.rows:
            describe(log, "run", [Row("")])
        describe(log, "variable", rows)
        context = _measured(log, loss_fn, variables, batch, optimizer, batch_size, names)
        written = tf.constant(False)
        for signal in SIGNALS:
            if found := signal.measure(context):
                values = _in_rows(found, [""] if signal.spec.axis == "run" else names)
                written = write(signal.spec.name, tf.constant(values), step)
        return written

    return if_recording(record)


def curvature_pb(
    *,
    sharpness: float | None = None,
    lowest_eigenvalue: float | None = None,
    trace: float | None = None,
    layer_traces: Sequence[float] | None = None,
    preconditioned_sharpness: float | None = None,
    stability_margin: float | None = None,
) -> Any:
    """Returns what some other library found of the curvature of a loss.

    Args:
      sharpness: Largest eigenvalue of the Hessian.
      lowest_eigenvalue: Its smallest one.
      trace: Sum of all of them.
      layer_traces: Parts of the trace, one for each variable of `layout_pb`.
      preconditioned_sharpness: Largest eigenvalue between the inverse roots of what an adaptive
        optimizer divides by.
      stability_margin: Sharpness / the largest that the optimizer bears, 2 / learning rate for
        gradient descent.

    Returns:
      A `Summary` proto.

    Raises:
      ValueError: Nothing was given, or not numbers.
    """
    given: dict[str, Any] = {
        "hessian_top_eigenvalue": sharpness,
        "hessian_lowest_eigenvalue": lowest_eigenvalue,
        "hessian_trace": trace,
        "hessian_layer_trace": layer_traces,
        "preconditioned_sharpness": preconditioned_sharpness,
        "stability_margin": stability_margin,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        raise ValueError("summary.curvature_pb got nothing to log: give sharpness= or trace=.")
    return summary_pb2.Summary(
        value=[codec.signal_value(name, _folded(name, value)) for name, value in given.items()]
    )


def _folded(name: str, value: Any) -> npt.NDArray[np.float32]:
    """Returns numbers as float32 `[rows, fields]`."""
    try:
        values = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"summary.curvature_pb got {value!r}; it takes numbers.") from error
    if values.ndim != (name == "hessian_layer_trace"):
        expected = "one number for each variable" if values.ndim == 0 else "one number"
        raise ValueError(f"summary.curvature_pb got {value!r}; it takes {expected}.")
    return values.reshape(-1, 1).repeat(len(FOLDED), axis=1)


def _in_rows(found: Mapping[str, Any], names: Sequence[str]) -> npt.NDArray[np.float32]:
    values = np.full((len(names), len(FOLDED)), NOT_MEASURED, np.float32)
    for index, name in enumerate(names):
        if name in found:
            values[index] = found[name]
    return values


def _measured(
    log: Log,
    loss_fn: Callable[..., Tensor],
    variables: Sequence[Any],
    batch: Sequence[Any],
    optimizer: Any,
    batch_size: int | None,
    names: Sequence[str],
) -> CurvatureContext:
    from tensorboard_gradhealth.curvature import keras_edge

    key = f"curvature/{id(loss_fn)}/{batch_size}"
    if key not in log.memory:
        # Kept with the loss, whose `id` must not be given to another one meanwhile.
        log.memory[key] = loss_fn, _probe(loss_fn, variables, batch_size)
    _, (probe, takes_weights) = log.memory[key]
    weights = [tf.convert_to_tensor(each) for each in variables] if takes_weights else None
    edge = keras_edge(optimizer, variables)
    found = probe.measure(weights, batch, preconditioner=edge.preconditioner)
    doubt = edge.doubt(found)
    tell(
        log,
        {"stability_limit": edge.limit.name} if edge.limit else {},
        {"stability_margin": doubt} if doubt else {},
    )
    return CurvatureContext(found, names, edge.margin(found))


def _probe(loss_fn: Any, variables: Sequence[Any], batch_size: int | None) -> tuple[Any, bool]:
    """Returns a probe, and whether it is to be given the weights."""
    import keras

    from tensorboard_gradhealth.curvature import CurvatureProbe, variables_loss

    if all(isinstance(variable, keras.Variable) for variable in variables):
        return CurvatureProbe(variables_loss(loss_fn, variables), batch_size=batch_size), True

    def pure(_: Any, *batch: Any) -> Tensor:
        return loss_fn(*batch)

    return CurvatureProbe(pure, variables=variables, batch_size=batch_size), False
