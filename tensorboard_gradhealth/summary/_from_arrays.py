"""What the calls with arrays measure in them, and make of it."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto import summary_pb2

from tensorboard_gradhealth.naming import feature_rows
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import ActivationContext, Phase, RunningContext
from tensorboard_gradhealth.signals.dead_fraction import silent_units_numpy
from tensorboard_gradhealth.storage import codec
from tensorboard_gradhealth.summary._checks import Given
from tensorboard_gradhealth.types import FOLDED, NOT_MEASURED

Array = npt.NDArray[Any]
Memory = MutableMapping[str, Array]
"""A dict of the caller's, empty at first and handed in at every call: carries what goes on."""


def measure(phase: Phase, context: Any) -> dict[str, Array]:
    """Returns the values of every signal of a phase that the context is enough for."""
    measured = {}
    with np.errstate(all="ignore"):  # NaN and infinities are carried, not complained about
        for signal in all_signals():
            if signal.phase == phase and signal.measure_numpy is not None:
                value = signal.measure_numpy(context)
                if value is not None:
                    measured[signal.spec.name] = np.asarray(value)
    return measured


def as_summary(values: Mapping[str, Array]) -> Any:
    """Returns a `Summary` of signals, `[rows]` each, as windows of one step."""
    folded = {
        name: np.reshape(value, (-1, 1)).repeat(len(FOLDED), 1) for name, value in values.items()
    }
    return summary_pb2.Summary(
        value=[codec.signal_value(name, value) for name, value in folded.items()]
    )


def spread(values: Array, present: Sequence[int], rows: int) -> Array:
    """Returns `[rows]` with `values` at the positions `present`, the rest not measured."""
    everywhere = np.full(rows, NOT_MEASURED)
    everywhere[present] = values
    return everywhere


def activation_context(
    name: str,
    outputs: Array,
    inputs: Mapping[str, Array],
    slopes: Mapping[str, Array],
    memory: Memory,
) -> ActivationContext:
    """Returns what is known of one activation, and notes in `memory` for how long it was silent."""
    values = _as_sample(outputs)
    longer = memory.get(f"silent/{name}", 0.0) + float(outputs.shape[0])
    memory[f"silent/{name}"] = np.where(silent_units_numpy(values), longer, 0.0)
    return ActivationContext(
        inputs=_as_sample(inputs[name]) if name in inputs else None,
        outputs=values,
        slopes=_as_sample(slopes[name]) if name in slopes else None,
        silent_samples=memory[f"silent/{name}"],
    )


def _as_sample(value: Array) -> Array:
    """Returns `[batch, ..., units]` as float64 `[1, n, units]`."""
    return np.reshape(value, (1, -1, value.shape[-1])).astype(np.float64)


def merged_features(name: str, value: Array, memory: Memory) -> dict[str, Array]:
    """Adds a batch to the statistics in `memory` and returns them, `[rows, fields]` by signal."""
    rows = len(feature_rows(name, value.shape, "input"))
    samples = np.reshape(value, (-1, rows)).astype(np.float64)
    merged = {}
    for signal in all_signals():
        if signal.phase == "feature" and signal.measure_numpy is not None:
            key, fields = f"{signal.spec.name}/{name}", len(signal.spec.fields)
            context = RunningContext(samples, memory.get(key, np.zeros((rows, fields))))
            memory[key] = merged[signal.spec.name] = np.asarray(signal.measure_numpy(context))
    return merged


def named_arrays(inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None) -> dict[str, Array]:
    """Returns the inputs by name; one that was given without is `x`."""
    if inputs is None:
        return {}
    return as_arrays(inputs if isinstance(inputs, Mapping) else {"x": inputs})


def as_arrays(values: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
    """Returns arrays that NumPy can compute with."""
    arrays = {name: np.asarray(value) for name, value in values.items()}
    # NumPy itself cannot compute with the 16-bit floats of JAX.
    return {n: a.astype(np.float32) if a.dtype.name == "bfloat16" else a for n, a in arrays.items()}


def as_given(arrays: Mapping[str, Array]) -> dict[str, Given]:
    """Returns types and shapes by name, as the checks take them."""
    return {name: Given(array.dtype.name, array.shape) for name, array in arrays.items()}
