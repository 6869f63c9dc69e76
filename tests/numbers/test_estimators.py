"""The estimators of curvature and noise, on matrices of which everything is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorboard_gradhealth.curvature import estimate_trace, spectrum, stability_limit
from tensorboard_gradhealth.training.looks.gradient_halves import NoiseEstimate
from tests.effort import effort, examples

EXAMPLES = examples(50, 1000)

TOLERANCE = 1e-3
"""Of an eigenvalue, relative to the largest one: what `spectrum` promises."""


@st.composite
def matrices(draw: Callable[..., Any]) -> np.ndarray:
    """Symmetric matrices `[n, n]` with eigenvalues of any sign, some of them equal or zero."""
    size = draw(st.integers(1, 8))
    values = draw(st.lists(st.floats(-100, 100), min_size=size, max_size=size))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    basis, _ = np.linalg.qr(random.normal(size=(size, size)))
    return np.asarray(basis @ np.diag(values) @ basis.T)


def ends(matrix: np.ndarray, seed: int = 0) -> tuple[float, float]:
    random = np.random.default_rng(seed)
    found = spectrum(lambda v: matrix @ v, len(matrix), random=random, tolerance=1e-6)
    return found.lowest.value, found.top.value


@EXAMPLES
@given(matrices(), st.integers(-60, 60))
def test_both_ends_of_a_spectrum_are_found_at_any_scale(matrix: np.ndarray, exponent: int) -> None:
    exact = np.linalg.eigvalsh(matrix)[[0, -1]]
    size = np.abs(exact).max()
    scale = 2.0**exponent
    np.testing.assert_allclose(ends(matrix), exact, atol=TOLERANCE * size + 1e-30)
    np.testing.assert_allclose(
        np.array(ends(matrix * scale)) / scale, exact, atol=TOLERANCE * size + 1e-30
    )


@EXAMPLES
@given(matrices())
def test_a_spectrum_does_not_depend_on_the_order_of_weights_or_the_draw(matrix: np.ndarray) -> None:
    size = np.abs(np.linalg.eigvalsh(matrix)).max()
    turned = matrix[::-1, ::-1]
    for other in (ends(turned), ends(matrix, seed=1)):
        np.testing.assert_allclose(other, ends(matrix), atol=2 * TOLERANCE * size + 1e-30)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("size", [1, 5])
def test_what_is_not_finite_in_a_product_is_nan_not_a_number(bad: float, size: int) -> None:
    matrix = np.eye(size)
    matrix[0, 0] = bad
    random = np.random.default_rng(0)
    with np.errstate(invalid="ignore"):
        found = spectrum(lambda v: matrix @ v, size, random=random)
        trace = estimate_trace(lambda v: matrix @ v, size, random=random, groups=[slice(0, 1)])
    assert math.isnan(found.top.value) and not found.top.converged
    assert math.isnan(trace.value) and np.isnan(trace.parts).all()


@pytest.mark.parametrize("scale", [0.0, 1e-45, 1e-30, 1e30])
def test_matrices_of_extreme_size_are_measured(scale: float) -> None:
    matrix = scale * np.diag([3.0, 1.0, -2.0])
    np.testing.assert_allclose(ends(matrix), (-2 * scale, 3 * scale), rtol=TOLERANCE)


@EXAMPLES
@given(matrices(), st.integers(-60, 60))
def test_a_trace_is_known_with_its_krylov_space_and_scales(
    matrix: np.ndarray, exponent: int
) -> None:
    size = len(matrix)
    scale = 2.0**exponent
    values = []
    for each in (matrix, matrix * scale):
        random = np.random.default_rng(0)
        known = spectrum(
            lambda v, m=each: m @ v, size, random=random, tolerance=0.0, max_products=size
        ).krylov
        trace = estimate_trace(
            lambda v, m=each: m @ v,
            size,
            random=random,
            known=known,
            groups=[slice(0, 1), slice(1, size)],
        )
        np.testing.assert_allclose(trace.parts.sum(), trace.value, rtol=1e-6, atol=1e-6 * scale)
        values.append(trace.value)
    assert known is not None
    largest = np.abs(matrix).max() * size
    if len(known.diagonal) == size:  # the space is the whole one
        assert abs(values[0] - np.trace(matrix)) <= 1e-3 * largest + 1e-30
    np.testing.assert_allclose(values[1] / scale, values[0], atol=1e-3 * largest + 1e-30)


def test_the_trace_of_a_diagonal_matrix_is_exact_and_its_error_is_zero() -> None:
    matrix = np.diag([3.0, -1.0, 0.5])
    trace = estimate_trace(lambda v: matrix @ v, 3, random=np.random.default_rng(0))
    assert trace.value == 2.5 and trace.error == 0.0


@EXAMPLES
@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e6))
def test_a_stability_margin_is_a_product_of_rate_and_sharpness(rate: float, sharp: float) -> None:
    for optimizer in ("sgd", "adam", "adamw", "rmsprop", "adagrad"):
        margin = stability_limit(optimizer, rate).margin(sharp)
        assert stability_limit(optimizer, 2 * rate).margin(sharp) == pytest.approx(2 * margin)
        assert stability_limit(optimizer, rate).margin(2 * sharp) == pytest.approx(2 * margin)


def test_the_noise_of_equal_halves_is_none_and_does_not_drift() -> None:
    estimate = NoiseEstimate(["a", "b"])
    whole = np.array([0.1, 1e-12])
    for _ in range(effort(20_000, 1_000_000)):
        found = estimate.add(whole, np.stack([whole, whole]), 32)
    assert found.signal == pytest.approx({"a": 0.1, "b": 1e-12}, rel=1e-9)
    assert found.noise == {"a": 0.0, "b": 0.0}
