"""Laws that every signal keeps that is measured in the training step, whatever the numbers are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import Signal
from tensorboard_gradhealth.training.hooks.replica import _merged
from tensorboard_gradhealth.training.host.past import join
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.effort import examples
from tests.numbers.contexts import (
    DOUBLES,
    IN_THE_STEP,
    ON_THE_HOST,
    measure,
    ordered_by_array,
    ordered_by_column,
)

pytestmark = pytest.mark.slow

EXAMPLES = examples(8, 100)

RELATIVE_ERROR = 2e-5
"""Of a value, against the same in float64."""

SMALL, LARGE = 1e-15, 1e15
"""Sizes of elements between which that holds: squares of others leave the range of float32."""

SPECIAL = (0.0, -0.0, 1.0, -3.0, np.nan, np.inf, -np.inf, 1e-45, 1e-38, 65504.0, 3e4, 3e38, -1e30)
SIZES = st.one_of(
    st.just(0.0), st.floats(SMALL, LARGE), st.floats(-LARGE, -SMALL), st.integers(-9, 9)
)
# TensorFlow flushes subnormal numbers to zero where NumPy does not.
MODERATE = st.floats(-100, 100, width=32, allow_subnormal=False)

every_signal = pytest.mark.parametrize("signal", IN_THE_STEP, ids=lambda s: str(s.spec.name))


def arrays(
    elements: st.SearchStrategy[Any], unique: bool = False, even: bool = False
) -> st.SearchStrategy[list[np.ndarray]]:
    """One to three arrays `[n, units]` of one shape, float32."""
    samples = st.sampled_from((2, 4, 6)) if even else st.integers(1, 6)
    shapes = st.tuples(samples, st.integers(2, 4))
    kept = elements.map(lambda x: float(np.float32(x)))

    def of(shape: tuple[int, int]) -> st.SearchStrategy[list[np.ndarray]]:
        one = hnp.arrays(np.float32, shape, elements=kept, unique=unique)
        return st.lists(one, min_size=1, max_size=3)

    return shapes.flatmap(of)


def near(got: Any, expected: Any, size: float = 1.0) -> None:
    """Compares values; those of a mean or a difference may be as wrong as `size` is rounded."""
    with np.errstate(over="ignore"):
        expected = np.asarray(expected, np.float32)
    np.testing.assert_allclose(got, expected, rtol=RELATIVE_ERROR, atol=1e-6 * size)


def named(name: str) -> Signal:
    return next(signal for signal in all_signals() if signal.spec.name == name)


def test_every_signal_is_tested() -> None:
    others = [signal for signal in all_signals() if signal not in IN_THE_STEP]
    assert others == [signal for signal in all_signals() if signal.phase in ON_THE_HOST]


@every_signal
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_special_numbers_give_numbers_of_the_right_shape(signal: Signal, dtype: str) -> None:
    in_float32 = signal.phase in ("activation", "feature", "class", "direction")

    @EXAMPLES
    @given(arrays(st.sampled_from(SPECIAL)))
    def check(values: list[np.ndarray]) -> None:
        rows = len(values) if ordered_by_array(signal) else None
        rows = values[0].shape[1] if ordered_by_column(signal) else rows
        with np.errstate(all="ignore"):
            if not in_float32:  # as the model computes
                values = [value.astype(tf.as_dtype(dtype).as_numpy_dtype) for value in values]
            got = measure(signal, values)
        expected = ((), (1,)) if rows is None else ((rows,), (rows, len(signal.spec.fields)))
        assert got.shape in expected
        assert got.dtype == np.float32 or signal.spec.name in ("loss", "learning_rate")

    check()


@every_signal
def test_finite_numbers_of_half_precision_do_not_overflow(signal: Signal) -> None:
    @EXAMPLES
    @given(arrays(st.sampled_from((0.0, 1e-7, 1.0, -300.0, 3e4, 65504.0, -65504.0))))
    def check(values: list[np.ndarray]) -> None:
        if signal.phase not in ("activation", "feature", "class", "direction"):
            values = [value.astype(np.float16) for value in values]
        assert np.isfinite(measure(signal, values)).all()

    check()


@every_signal
def test_arrays_without_elements_and_of_one_are_measured(signal: Signal) -> None:
    if signal.phase != "prediction":  # which tells no fewer than two classes apart
        assert np.isfinite(measure(signal, [np.full((1, 1), 2.0, np.float32)])).all()
    if signal.phase in ("step", "gradient", "optimizer", "update", "direction", "output"):
        sizes = [np.zeros((0, 2), np.float32), np.ones((2, 2), np.float32)]
        assert np.isfinite(measure(signal, sizes)).all()
        measure(signal, [sizes[0], np.full((2, 2), np.nan, np.float32)])


WITH_ROWS = [s for s in IN_THE_STEP if ordered_by_array(s) or s.phase == "feature"]


@pytest.mark.parametrize("signal", WITH_ROWS, ids=lambda s: str(s.spec.name))
def test_what_is_not_finite_in_one_row_leaves_the_others_as_they_are(signal: Signal) -> None:
    @EXAMPLES
    @given(arrays(MODERATE), st.sampled_from((np.nan, np.inf, -np.inf)))
    def check(values: list[np.ndarray], bad: float) -> None:
        sound = measure(signal, values)
        broken = [value.copy() for value in values]
        broken[-1][-1, -1] = bad
        with np.errstate(all="ignore"):
            got = measure(signal, broken)
        np.testing.assert_array_equal(got[:-1], sound[:-1])

    check()


SHOWING = [
    s
    for s in IN_THE_STEP
    if s.phase in ("step", "gradient", "optimizer", "update", "direction", "output")
    and s.spec.name != "skipped_steps"
]


@pytest.mark.parametrize("signal", SHOWING, ids=lambda s: str(s.spec.name))
def test_a_nan_is_carried_or_counted(signal: Signal) -> None:
    @EXAMPLES
    @given(arrays(MODERATE))
    def check(values: list[np.ndarray]) -> None:
        values[0][0, 0] = np.nan
        got = measure(signal, values)
        first = got[0] if got.ndim else got
        assert np.isnan(first) or (signal.spec.name.endswith("nonfinite") and first >= 1)

    check()


@every_signal
def test_the_order_of_samples_does_not_matter(signal: Signal) -> None:
    @EXAMPLES
    @given(arrays(MODERATE))
    def check(values: list[np.ndarray]) -> None:
        # The first sample stays where it is, because the loss of the context is taken from it.
        turned = [np.concatenate([value[:1], value[:0:-1]]) for value in values]
        near(measure(signal, turned), measure(signal, values), size=200.0)

    check()


@every_signal
def test_the_order_of_rows_is_that_of_what_was_given(signal: Signal) -> None:
    @EXAMPLES
    @given(arrays(MODERATE, unique=True))
    def check(values: list[np.ndarray]) -> None:
        got = measure(signal, values)
        if ordered_by_array(signal):
            near(measure(signal, values[::-1]), got[::-1])
        elif ordered_by_column(signal):
            near(measure(signal, [value[:, ::-1] for value in values]), got[::-1], size=200.0)
        else:
            near(measure(signal, [values[0], *values[:0:-1]]), got)

    check()


POWERS: dict[str, Any] = {
    "loss": 1,
    "learning_rate": 1,
    "gradient_norm": 1,
    "gradient_global_norm": 1,
    "weight_rms": 1,
    "predicted_change": 2,
    "input_features": (0, 1, 1, 1, 1, 0),
}
"""With which power of it a signal grows if all that it looks at is multiplied; others do not."""


@every_signal
def test_signals_scale_as_their_units_say(signal: Signal) -> None:
    power = np.array(POWERS.get(signal.spec.name, 0), np.float64)

    @EXAMPLES
    @given(arrays(MODERATE.filter(lambda x: x == 0 or abs(x) > 1e-3)), st.integers(-9, 9))
    def check(values: list[np.ndarray], exponent: int) -> None:
        scale = 2.0**exponent
        got = measure(signal, [value * np.float32(scale) for value in values], scale)
        before = measure(signal, values)
        expected = np.where(before == NOT_MEASURED, before, before * scale**power)
        near(got, expected, size=scale)

    check()


WITHOUT_TWIN: dict[str, Callable[[Any], Any]] = {
    "clip_rate": lambda c: np.sqrt(sum((g**2).sum() for g in c.gradients)) > c.global_clipnorm,
    "skipped_steps": lambda c: c.skipped,
    "predicted_change": lambda c: c.predicted,
    "weight_growth": lambda c: np.where(c.first_squared_weights == 0, NOT_MEASURED, 1.0),
    "expected_initial_loss": lambda c: np.log(c.outputs.shape[-1]),
    "predicted_share": lambda c: (
        np.bincount(c.outputs.argmax(axis=-1), minlength=c.outputs.shape[-1]) / len(c.outputs)
    ),
    "update_cosine": lambda c: [_cosine(c, owner) for owner in range(c.variables)],
}


def _cosine(context: Any, owner: int) -> float:
    before, change = (part[context.owners == owner] for part in (context.before, context.change))
    sizes = np.linalg.norm(before) * np.linalg.norm(change)
    return float(before @ change / sizes) if sizes else float(NOT_MEASURED)


@every_signal
def test_signals_are_what_they_are_in_float64(signal: Signal) -> None:
    reference = signal.measure_numpy or WITHOUT_TWIN[signal.spec.name]
    wide = signal.phase in ("step", "gradient", "update", "output")

    @EXAMPLES
    @given(arrays(SIZES if wide else MODERATE.filter(lambda x: x == 0 or abs(x) > 1e-3)))
    def check(values: list[np.ndarray]) -> None:
        got = measure(signal, values)
        expected = reference(DOUBLES.context(signal.phase, values))
        near(got, expected, size=1e-30 if wide else 100.0)

    check()


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e4 / 3, -7e-6])
@pytest.mark.parametrize("samples", [3, 6, 7, 1000])
def test_a_gain_that_is_rounding_alone_is_not_measured(value: float, samples: int) -> None:
    got = measure(named("activation_gain"), [np.full((samples, 3), value, np.float32)])
    assert got == NOT_MEASURED


BY_HALVES = (
    "zero_fraction",
    "saturated_fraction",
    "predicted_share",
    "expected_initial_loss",
    "input_nonfinite",
    "input_features",
    "label_counts",
)


@pytest.mark.parametrize("name", BY_HALVES)
def test_shards_of_a_batch_come_to_the_whole(name: str) -> None:
    signal = named(name)

    @EXAMPLES
    @given(arrays(st.one_of(MODERATE, st.sampled_from((np.nan, np.inf))), even=True))
    def check(values: list[np.ndarray]) -> None:
        whole = measure(signal, values)
        middle = len(values[0]) // 2
        parts = [[v[:middle] for v in values], [v[middle:] for v in values]]
        first, second = (measure(signal, part) for part in parts)
        if signal.phase in ("feature", "class"):
            joined = join(first, second, signal.spec.fields)
        else:
            stacked = np.stack([np.atleast_1d(first), np.atleast_1d(second)])
            joined = _merged(stacked[:, np.newaxis], signal.merge)[0].reshape(whole.shape)
        near(joined, whole, size=200.0)

    with np.errstate(all="ignore"):
        check()


@pytest.mark.parametrize("name", ["gradient_norm", "gradient_global_norm", "gradient_nonfinite"])
def test_shards_of_a_variable_come_to_the_whole(name: str) -> None:
    signal = named(name)
    combine = np.sum if name == "gradient_nonfinite" else lambda parts: np.sqrt(np.sum(parts**2))

    @EXAMPLES
    @given(arrays(SIZES, even=True))
    def check(values: list[np.ndarray]) -> None:
        whole = np.concatenate(values)
        parts = np.array([measure(signal, [value]).reshape(()) for value in values], np.float64)
        near(measure(signal, [whole]).reshape(()), combine(parts), size=1e-30)

    check()
