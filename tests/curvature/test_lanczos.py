"""Ends of the spectra of matrices that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tensorboard_gradhealth.curvature.lanczos import Spectrum, Vector, spectrum


def rotated(eigenvalues: list[float], seed: int = 0) -> np.ndarray:
    """Returns a matrix with these eigenvalues and random eigenvectors."""
    normal = np.random.default_rng(seed).standard_normal((len(eigenvalues),) * 2)
    basis, _ = np.linalg.qr(normal)
    return basis @ np.diag(eigenvalues) @ basis.T


def ends(matrix: np.ndarray, seed: int = 1, **options: object) -> Spectrum:
    random = np.random.default_rng(seed)
    return spectrum(lambda v: matrix @ v, len(matrix), random=random, **options)  # type: ignore[arg-type]


KNOWN = {
    "indefinite": [-7.0, -1.0, 0.5, 3.0, 5.0] + [0.1] * 40,
    "negative definite": [-9.0, -3.0, -2.0, -1.0],
    "repeated top eigenvalue": [4.0, 4.0, 4.0, 1.0] + [0.0] * 30,
    "identity": [2.0] * 10,
    "rank one": [3.0] + [0.0] * 50,
    "zero": [0.0] * 20,
    "one by one": [-2.5],
    "large": [3e20, -1e20] + [1e19] * 20,
    "small": [3e-20, -1e-20] + [1e-21] * 20,
}


@pytest.mark.parametrize("name", KNOWN)
def test_finds_both_ends_of(name: str) -> None:
    known = KNOWN[name]

    found = ends(rotated(known))

    scale = max(abs(value) for value in known)
    assert found.top.value == pytest.approx(max(known), abs=1e-5 * scale)
    assert found.lowest.value == pytest.approx(min(known), abs=1e-5 * scale)
    assert found.top.converged
    assert found.lowest.converged


def test_vectors_are_of_length_one_and_belong_to_the_values() -> None:
    matrix = rotated([6.0, -3.0] + [0.5] * 30)

    found = ends(matrix)

    for vector, value in ((found.top_vector, 6.0), (found.lowest_vector, -3.0)):
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
        np.testing.assert_allclose(matrix @ vector, value * vector, atol=1e-3)


def test_residual_bounds_the_distance_to_an_eigenvalue_before_it_has_converged() -> None:
    eigenvalues = list(np.linspace(-1.0, 1.0, 90))

    found = ends(rotated(eigenvalues), max_products=6)

    assert found.products == 6
    assert not found.top.converged
    assert found.top.value < 1.0
    assert min(abs(np.array(eigenvalues) - found.top.value)) <= found.top.residual


def test_multiplies_no_more_often_than_allowed_or_than_there_are_rows() -> None:
    assert ends(rotated(list(np.linspace(-1.0, 1.0, 90))), max_products=7).products == 7
    assert ends(rotated([1.0, 2.0, 3.0]), max_products=20, tolerance=0.0).products == 3


def test_a_hint_saves_products() -> None:
    eigenvalues = [*np.linspace(-1.0, 1.0, 88), 1.3, -1.2]
    matrix = rotated(eigenvalues)
    before = ends(matrix, max_products=60)

    again = ends(matrix, seed=2, max_products=60, hints=[before.top_vector, before.lowest_vector])

    assert again.products < before.products
    assert again.top.value == pytest.approx(1.3, abs=1e-4)


def test_a_hint_that_is_no_longer_the_top_does_not_hide_the_new_one() -> None:
    vectors = np.eye(50)
    before = np.float32(vectors[0])
    matrix = np.diag([5.0, 9.0] + [0.1] * 48)

    found = ends(matrix, hints=[before])

    assert found.top.value == pytest.approx(9.0, rel=1e-4)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_product_that_is_not_finite_gives_nan_at_once(bad: float) -> None:
    matrix = np.diag([1.0, bad, 2.0])

    found = ends(matrix)

    assert math.isnan(found.top.value)
    assert math.isnan(found.lowest.value)
    assert not found.top.converged
    assert found.krylov is None
    assert found.products == 1


def test_the_basis_stays_orthonormal_in_float32() -> None:
    krylov = ends(rotated(list(np.geomspace(1e-3, 1e3, 90))), max_products=40).krylov

    assert krylov is not None
    product = krylov.basis.astype(np.float64) @ krylov.basis.T
    np.testing.assert_allclose(product, np.eye(len(krylov.basis)), atol=1e-6)


def test_the_matrix_is_tridiagonal_in_the_basis() -> None:
    matrix = rotated([5.0, -2.0, 1.0, *np.linspace(-0.1, 0.1, 60)])

    krylov = ends(matrix, max_products=8).krylov

    assert krylov is not None
    vectors = krylov.basis[:-1]
    remainder = matrix @ vectors.T - vectors.T @ krylov.tridiagonal
    np.testing.assert_allclose(remainder[:, :-1], 0.0, atol=1e-5)
    np.testing.assert_allclose(remainder[:, -1], krylov.beside[-1] * krylov.basis[-1], atol=1e-5)


def test_a_long_vector_is_summed_as_well() -> None:
    size = 150_000
    diagonal = np.linspace(0.0, 1.0, size)
    diagonal[-1] = 40.0

    def product(vector: Vector) -> np.ndarray:
        return diagonal * vector

    found = spectrum(product, size, random=np.random.default_rng(0), max_products=30)

    assert found.top.value == pytest.approx(40.0, rel=1e-5)


@pytest.mark.parametrize(("size", "products"), [(0, 5), (5, 0)])
def test_refuses_what_has_no_spectrum(size: int, products: int) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        spectrum(lambda v: v, size, random=np.random.default_rng(0), max_products=products)
