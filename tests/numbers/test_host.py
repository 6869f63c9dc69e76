"""What is computed from numbers of the host: no number, however odd, makes it raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tensorboard_gradhealth.curvature import Curvature, Eigenvalue, Trace
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import (
    CurvatureContext,
    EpochContext,
    HalvesContext,
    Signal,
    TrialContext,
)
from tests.effort import examples
from tests.numbers.contexts import ON_THE_HOST

EXAMPLES = examples(50, 1000)

NUMBERS = st.floats()
MAYBE = st.one_of(st.none(), NUMBERS)
EIGENVALUES = st.builds(Eigenvalue, NUMBERS, NUMBERS, st.booleans())
NAMES = ("a/kernel", "a/bias")


def _halves(draw: Callable[..., Any]) -> HalvesContext:
    names = draw(st.sampled_from(((), NAMES[:1], NAMES)))
    return HalvesContext({n: draw(NUMBERS) for n in names}, {n: draw(NUMBERS) for n in names})


def _curvature(draw: Callable[..., Any]) -> CurvatureContext:
    parts = [np.array([draw(NUMBERS) for _ in NAMES]) for _ in range(2)]
    found = Curvature(
        loss=draw(NUMBERS),
        gradient_norm=draw(NUMBERS),
        gradient_curvature=draw(MAYBE),
        update_curvature=draw(MAYBE),
        update_overshoot=draw(MAYBE),
        top=draw(EIGENVALUES),
        lowest=draw(EIGENVALUES),
        elsewhere=draw(MAYBE),
        preconditioned=draw(st.one_of(st.none(), EIGENVALUES)),
        trace=Trace(draw(NUMBERS), draw(NUMBERS), *parts, products=8),
        idle=(0.0, 1.0),
        parameters=draw(st.integers(1, 10**9)),
        products=1,
        seconds=0.0,
    )
    return CurvatureContext(found, NAMES, draw(MAYBE))


def _epoch(draw: Callable[..., Any]) -> EpochContext:
    return EpochContext(draw(st.dictionaries(st.text(max_size=5), NUMBERS, max_size=3)))


def _trial(draw: Callable[..., Any]) -> TrialContext:
    return TrialContext(draw(NUMBERS), draw(NUMBERS), draw(NUMBERS))


def _start(draw: Callable[..., Any]) -> np.ndarray:
    dtype = draw(st.sampled_from((np.float16, np.float32, np.float64, np.int8, np.int64, np.bool_)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    return np.asarray(draw(hnp.arrays(dtype, shape)))


MAKERS = dict(zip(ON_THE_HOST, (_start, _epoch, _trial, _halves, _curvature), strict=True))
SIGNALS = [signal for signal in all_signals() if signal.phase in ON_THE_HOST]


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: str(s.spec.name))
def test_any_numbers_give_numbers_by_row(signal: Signal) -> None:
    make = st.composite(lambda draw: MAKERS[signal.phase](draw))

    @EXAMPLES
    @given(make())
    def check(context: Any) -> None:
        with np.errstate(all="ignore"):
            found = signal.measure(context)
        if signal.phase == "start":
            found = {"": found}
        for values in found.values():
            fields = np.atleast_1d(np.asarray(values, np.float64))
            assert fields.shape in ((1,), (len(signal.spec.fields),))

    check()


def test_the_noise_of_gradients_is_scale_free_and_their_sizes_are_not_lost() -> None:
    by_name = {signal.spec.name: signal for signal in SIGNALS}

    @EXAMPLES
    @given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers(-60, 60))
    def check(size: float, noise: float, exponent: int) -> None:
        context = HalvesContext({"a": size}, {"a": noise})
        scaled = HalvesContext({"a": size * 2.0**exponent}, {"a": noise * 2.0**exponent})
        for name in ("gradient_noise_scale", "gradient_snr"):
            measure = by_name[name].measure
            assert measure(scaled) == measure(context)
        assert by_name["gradient_noise_scale"].measure(context)[""] == noise / size

    check()


def test_initial_weights_are_what_they_are_in_float64() -> None:
    measure = next(signal for signal in SIGNALS if signal.phase == "start").measure

    @EXAMPLES
    @given(hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e6, 1e6, width=32)))
    def check(weights: np.ndarray) -> None:
        values = weights.astype(np.float64)
        expected = [values.mean(), values.std(), values.min(), values.max(), (values == 0).mean()]
        np.testing.assert_array_equal(measure(weights), np.array(expected, np.float32))
        np.testing.assert_allclose(
            measure(4 * weights), [*(4 * np.array(expected[:4])), expected[4]], rtol=1e-6
        )

    with np.errstate(under="ignore"):
        check()
