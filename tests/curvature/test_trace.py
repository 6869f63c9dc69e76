"""Traces of matrices that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tensorboard_gradhealth.curvature.lanczos import Krylov, spectrum
from tensorboard_gradhealth.curvature.trace import Trace, estimate_trace
from tests.curvature.test_lanczos import rotated

HALVES = (slice(0, 30), slice(30, 90))


def trace_of(
    matrix: np.ndarray, known: Krylov | None = None, samples: int = 30, seed: int = 3
) -> Trace:
    return estimate_trace(
        lambda v: matrix @ v,
        len(matrix),
        random=np.random.default_rng(seed),
        samples=samples,
        groups=HALVES,
        known=known,
    )


def krylov_of(matrix: np.ndarray, products: int = 15) -> Krylov:
    random = np.random.default_rng(4)
    found = spectrum(
        lambda v: matrix @ v, len(matrix), random=random, max_products=products, tolerance=0.0
    )
    assert found.krylov is not None
    return found.krylov


def hessian_like() -> np.ndarray:
    """Returns a matrix with a few large eigenvalues, a bulk near zero and negative ones."""
    bulk = np.random.default_rng(5).normal(0.0, 0.05, 83)
    return rotated([50.0, 20.0, 10.0, 5.0, 2.0, -1.0, -3.0, *bulk])


@pytest.mark.parametrize("products", [0, 1, 2, 15])
def test_trace_and_its_parts_are_within_two_standard_errors_as_often_as_they_should(
    products: int,
) -> None:
    matrix = hessian_like()
    known = krylov_of(matrix, products) if products else None
    truth = [np.trace(matrix), *(np.diag(matrix)[part].sum() for part in HALVES)]

    found = [trace_of(matrix, known, samples=20, seed=seed) for seed in range(200)]

    values = np.array([[trace.value, *trace.parts] for trace in found])
    errors = np.array([[trace.error, *trace.part_errors] for trace in found])
    assert np.all(np.mean(abs(values - truth) <= 2.0 * errors, axis=0) > 0.85)
    np.testing.assert_allclose(values.mean(0), truth, atol=3.0 * errors.mean() / math.sqrt(200))
    np.testing.assert_allclose(np.sqrt((errors**2).mean(0)), values.std(0), rtol=0.15)
    np.testing.assert_allclose(values[:, 0], values[:, 1:].sum(1), atol=1e-9)


def test_what_a_krylov_space_tells_is_not_left_to_chance() -> None:
    matrix = hessian_like()

    assert trace_of(matrix, krylov_of(matrix)).error < 0.1 * trace_of(matrix).error


def test_a_diagonal_matrix_is_exact() -> None:
    found = trace_of(np.diag(np.arange(90.0)), samples=2)

    assert found.value == pytest.approx(4005.0)
    assert found.error == pytest.approx(0.0, abs=1e-9)


def test_the_zero_matrix_and_its_krylov_space_have_no_trace() -> None:
    zero = np.zeros((90, 90))

    assert trace_of(zero, krylov_of(zero)).value == 0.0


def test_a_product_that_is_not_finite_gives_nan_at_once() -> None:
    found = trace_of(np.full((90, 90), np.nan))

    assert math.isnan(found.value)
    assert math.isnan(found.error)
    assert np.all(np.isnan(found.parts))
    assert found.products == 1


def test_one_sample_has_no_standard_error() -> None:
    with pytest.raises(ValueError, match="2 samples or more, got 1"):
        trace_of(np.eye(90), samples=1)
