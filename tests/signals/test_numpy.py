"""Every signal's NumPy twin gives the same numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import (
    ActivationContext,
    GradientContext,
    NumpyGradientContext,
    OutputContext,
    RunningContext,
    Signal,
    StepContext,
    UpdateContext,
    squared_norm_numpy,
)
from tensorboard_gradhealth.signals.dead_fraction import silent_units, silent_units_numpy

NAN, INF = float("nan"), float("inf")


def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(scale=scale, size=shape).astype(np.float32)


def squares(*values: np.ndarray) -> np.ndarray:
    return np.array([squared_norm_numpy(value) for value in values], np.float32)


BROKEN = np.array([1.0, NAN, INF, -INF], np.float32)
BEFORE, AFTER = (normal(5, 4), np.zeros(4, np.float32)), (normal(5, 4) * 1.1, BROKEN)
INPUTS = np.stack([normal(9, 4, scale=3.0), np.ones((9, 4), np.float32)])
RELU = np.maximum(INPUTS, 0.0)

CONTEXTS: dict[str, list[Any]] = {
    "step": [
        StepContext(0.5, 0.01, squares(normal(7), normal(3, 2)), [BROKEN, normal(3, 2)]),
        StepContext(),
    ],
    "gradient": [[normal(7, 3), BROKEN, normal(2)]],
    "update": [
        UpdateContext(
            squares(*(a - b for a, b in zip(AFTER, BEFORE, strict=True))), squares(*BEFORE), AFTER
        )
    ],
    "output": [OutputContext.of([normal(3, 4), BROKEN[:2].reshape(1, 2)])],
    "activation": [
        ActivationContext(
            INPUTS, RELU, np.float32(INPUTS > 0), 1.0, np.float32([[0, 511, 512, 9e9], [1] * 4])
        ),
        ActivationContext(INPUTS, np.tanh(INPUTS), 1 - np.tanh(INPUTS) ** 2),
        ActivationContext(None, RELU, None),
    ],
    "feature": [
        RunningContext(np.stack([BROKEN, normal(4)], axis=1), np.zeros((2, 6), np.float32)),
        RunningContext(1e3 + normal(50, 2), np.array([[80, 1e3, 2, 990, 1010, 1]] * 2, np.float32)),
    ],
    "class": [RunningContext(np.eye(3, dtype=np.float32), np.ones((3, 1), np.float32))],
}


def in_tensorflow(context: Any) -> Any:
    """The same context of tensors."""
    if isinstance(context, list):
        return GradientContext([tf.constant(value) for value in context])
    if isinstance(context, OutputContext):
        return OutputContext.of([tf.constant(outputs()) for outputs in context.outputs])
    changes = {}
    for field in dataclasses.fields(context):
        value = getattr(context, field.name)
        if isinstance(value, np.ndarray):
            changes[field.name] = tf.constant(value)
        elif isinstance(value, (list, tuple)):
            changes[field.name] = [tf.constant(each) for each in value]
    return dataclasses.replace(context, **changes)


TWINS = [signal for signal in all_signals() if signal.measure_numpy]
CASES = [(signal, i) for signal in TWINS for i in range(len(CONTEXTS[signal.phase]))]


@pytest.mark.parametrize(
    ("signal", "case"), CASES, ids=[f"{signal.spec.name}-{i}" for signal, i in CASES]
)
def test_the_numpy_twin_gives_the_same_numbers(signal: Signal, case: int) -> None:
    assert signal.measure_numpy is not None
    context = CONTEXTS[signal.phase][case]
    arrays = NumpyGradientContext(context) if isinstance(context, list) else context
    expected = signal.measure(in_tensorflow(context))
    with np.errstate(all="ignore"):
        got = signal.measure_numpy(arrays)
    if expected is None:
        assert got is None
    else:
        np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-5, atol=1e-7)


def test_all_that_a_loop_without_tensorflow_can_know_has_a_twin() -> None:
    without = [signal for signal in all_signals() if signal not in TWINS]
    # Such a loop has no Keras optimizer, no outputs beside labels, and no step before this one.
    inside_keras = {"optimizer", "prediction", "direction"}
    inside_keras |= {"start", "epoch", "trial", "halves", "curvature"}  # NumPy in any case
    others = {signal.spec.name for signal in without if signal.phase not in inside_keras}
    assert others == {"weight_growth", "predicted_change"}


def test_silent_units_are_the_same() -> None:
    outputs = np.array([[[0.0, 1.0, 1e-5], [0.0, 0.0, 1e-5]], np.zeros((2, 3))], np.float32)
    np.testing.assert_array_equal(silent_units_numpy(outputs), silent_units(tf.constant(outputs)))
