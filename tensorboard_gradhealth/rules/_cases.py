"""Small synthetic runs with which a rule shows when it fires and when it must not."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.types import (
    FOLDED,
    Axis,
    Record,
    Row,
    RunInfo,
    Severity,
    SignalSpec,
)

Measure = Callable[[int], Any]
"""From a step to one value, one per row, or, for a cumulative signal, a dict of them by field.

None stands for a step at which the signal is not measured: it is absent from a record that has
no other.
"""


Measures = Mapping[str, Measure]
Rows = Mapping[Axis, tuple[Row, ...]]


@dataclasses.dataclass(frozen=True)
class Case:
    """A run, and what the rule must say of it (`severity` None: nothing above info)."""

    label: str
    info: RunInfo
    measures: Measures
    windows: tuple[tuple[int, int], ...]
    severity: Severity | None = None
    layers: tuple[str, ...] = ()
    onset: int | None = None

    @functools.cached_property
    def records(self) -> tuple[Record, ...]:
        """Made when asked for: cases are part of the rules, which are imported to judge."""
        return tuple(
            Record(last, first, _signals(self.measures, first, last), written)
            for written, (first, last) in enumerate(self.windows, start=1)
        )


def case(
    label: str,
    *,
    rows: Rows | None = None,
    run: Measures | None = None,
    variable: Measures | None = None,
    activation: Measures | None = None,
    feature: Measures | None = None,
    classes: Measures | None = None,
    metric: Measures | None = None,
    facts: Mapping[str, Any] | None = None,
    steps: int = 60,
    dense_until: int = 50,
    window: int = 10,
    severity: Severity | None = None,
    layers: tuple[str, ...] = (),
    onset: int | None = None,
) -> Case:
    """Makes a case from functions of the step, one group of them per axis.

    Steps up to `dense_until` are recorded one by one, as in a real log; later ones are folded
    over `window` steps, so that `mean`, `min` and `max` are those of the window.
    """
    groups: dict[Axis, Measures] = {
        "run": run or {},
        "variable": variable or {},
        "activation": activation or {},
        "feature": feature or {},
        "class": classes or {},
        "metric": metric or {},
    }
    measures = {name: measure for group in groups.values() for name, measure in group.items()}
    axes = {name: axis for axis, group in groups.items() for name in group}
    specs = {
        name: SignalSpec(name, name, "", axes[name], _fields(measure))
        for name, measure in measures.items()
    }
    info = RunInfo({"run": (Row("run"),), **(rows or {})}, specs, facts or {})
    windows = tuple(_windows(steps, dense_until, window))
    return Case(label, info, measures, windows, severity, layers, onset)


def found(severity: Severity, onset: int, *layers: str) -> dict[str, Any]:
    """What a sick run is to be told, as arguments of `case`."""
    return {"severity": severity, "layers": layers, "onset": onset}


def kernel(name: str, size: int = 256) -> Row:
    """A weight matrix."""
    return Row(name, name.rsplit("/", 1)[0], "kernel", size)


def hidden(name: str, units: int = 64, function: str = "relu") -> Row:
    """An activation between layers."""
    return Row(name, name, "hidden", units, function)


def output(name: str, units: int = 1, function: str = "sigmoid") -> Row:
    """The activation of the last layer."""
    return Row(name, name, "output", units, function)


def features(count: int) -> tuple[Row, ...]:
    """`count` input features, `x[0]` and on."""
    return tuple(Row(f"x[{i}]", "", "input") for i in range(count))


def samples(
    mean: Any, std: Any, low: Any, high: Any, count: Measure = lambda s: 32 * (s + 1)
) -> dict[str, Measure]:
    """`input_features` that stay the same, one value or one per feature; `count` samples so far."""
    shape = {"mean": mean, "std": std, "min": low, "max": high, "nonfinite": 0}
    return {"input_features": lambda s: {"count": count(s), **shape}}


def ripple(step: int) -> float:
    """Noise of a loss around 1, the same in every run."""
    return 0.02 * math.sin(2.4 * step)


def _windows(steps: int, dense_until: int, window: int) -> Iterator[tuple[int, int]]:
    first = 0
    while first < steps:
        last = first if first <= dense_until else min(first + window, steps) - 1
        yield first, last
        first = last + 1


def _fields(measure: Measure) -> tuple[str, ...]:
    values = measure(0)
    return tuple(values) if isinstance(values, dict) else FOLDED


def _column(values: Any) -> npt.NDArray[np.float32]:
    return np.atleast_1d(np.asarray(values, np.float32))


def _signals(measures: Measures, first: int, last: int) -> dict[str, npt.NDArray[np.float32]]:
    steps = range(first, last + 1)
    values = {name: [measure(step) for step in steps] for name, measure in measures.items()}
    measured = {n: [v for v in given if v is not None] for n, given in values.items()}
    return {name: _fold(given) for name, given in measured.items() if given}


def _fold(values: list[Any]) -> npt.NDArray[np.float32]:
    newest = values[-1]
    if isinstance(newest, dict):
        return np.stack(np.broadcast_arrays(*map(_column, newest.values())), axis=-1)
    steps = np.array([np.atleast_1d(value) for value in values], np.float64)
    finite = np.where(np.isfinite(steps), steps, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # A row without a finite value stays NaN.
        columns = steps.mean(axis=0), np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
    return np.stack(columns, axis=-1).astype(np.float32)
