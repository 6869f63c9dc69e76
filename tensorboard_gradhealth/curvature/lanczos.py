"""The two ends of a symmetric matrix's spectrum, from its products with vectors alone.

Lanczos with full reorthogonalisation (Golub and Van Loan, Matrix Computations, chapter 10): one
run gives the algebraically largest and the most negative eigenvalue. Vectors are float32, as what
multiplies them is; all sums over their elements are float64.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Product = Callable[[Vector], npt.NDArray[np.floating]]
"""Multiplies a float32 vector `[n]` by the symmetric matrix."""

_NOISE = 1e-6
"""Relative to the largest eigenvalue, what is smaller is rounding of float32 products."""

_FRESH = 0.3
"""Length of the random part of a start vector beside each hint, which has length one.

Without it an eigenvector that the hints do not contain would never be found.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Eigenvalue:
    """An estimate of one end of the spectrum.

    Until it has converged, it lies inside the spectrum: the true top is higher, the lowest lower.

    Attributes:
      value: The estimate; NaN if a product was not finite.
      residual: |Av - value v| of a unit vector v; some eigenvalue is at most that far away.
      converged: Whether the residual is below the tolerance.
    """

    value: float
    residual: float
    converged: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Krylov:
    """An orthonormal basis in which the matrix is tridiagonal.

    With the first m vectors as columns of Q, AQ = QT + b q e': T is the tridiagonal matrix, q the
    vector after them, b the last element of `beside` and e' = (0, ..., 0, 1).

    Attributes:
      basis: float32 `[m + 1, n]`; rows are orthonormal, but the last is zero if AQ = QT.
      diagonal: float64 `[m]`.
      beside: float64 `[m]`, the elements below the diagonal.
    """

    basis: Vector
    diagonal: Double
    beside: Double

    @property
    def tridiagonal(self) -> Double:
        """T, the matrix in this basis, float64 `[m, m]`."""
        beside = self.beside[:-1]
        return np.diag(self.diagonal) + np.diag(beside, 1) + np.diag(beside, -1)


@dataclasses.dataclass(frozen=True, slots=True)
class Spectrum:
    """Both ends of a spectrum.

    Attributes:
      top: The algebraically largest eigenvalue.
      lowest: The most negative one (the smallest, if none is negative).
      top_vector: float32 `[n]` of length one; NaN if a product was not finite.
      lowest_vector: The same for the other end.
      krylov: The basis that the estimates come from; `None` if a product was not finite.
      products: How often the matrix was multiplied.
    """

    top: Eigenvalue
    lowest: Eigenvalue
    top_vector: Vector
    lowest_vector: Vector
    krylov: Krylov | None
    products: int


def spectrum(
    product: Product,
    size: int,
    *,
    random: np.random.Generator,
    hints: Sequence[Vector] = (),
    max_products: int = 20,
    tolerance: float = 1e-3,
) -> Spectrum:
    """Returns the ends of the spectrum of a symmetric matrix `[size, size]`.

    Args:
      product: Multiplies by the matrix; called at most `max_products` times.
      size: Rows of the matrix, at least 1.
      random: Draws the random part of the start vector.
      hints: Vectors of length one that may be near to the eigenvectors looked for, such as
        those of an earlier call.
      max_products: Bounds time, and memory: one float32 vector more than that is kept.
      tolerance: Of the residual, relative to the largest absolute eigenvalue. The error of an
        eigenvalue is about its square, over the relative gap to the next one.

    Raises:
      ValueError: `size` or `max_products` is below 1.
    """
    if size < 1 or max_products < 1:
        raise ValueError(f"size {size} and max_products {max_products} must be 1 or more")
    limit = min(size, max_products)
    basis = np.empty((limit + 1, size), np.float32)
    diagonal, beside = np.zeros(limit), np.zeros(limit)
    basis[0] = _start(hints, size, random)
    for step in range(limit):
        image = np.asarray(product(basis[step]), np.float64)
        if not np.all(np.isfinite(image)):
            return _not_finite(size, step + 1)
        diagonal[step] = dot(basis[step], image)
        project_out(basis[: step + 1], image)
        beside[step] = math.sqrt(dot(image, image))
        krylov = Krylov(basis[: step + 2], diagonal[: step + 1], beside[: step + 1])
        values, vectors = np.linalg.eigh(krylov.tridiagonal)
        scale = np.max(np.abs(values))
        grows = beside[step] > _NOISE * scale
        basis[step + 1] = image / beside[step] if grows else 0.0
        residuals = beside[step] * np.abs(vectors[-1, [-1, 0]])
        converged = residuals <= tolerance * scale
        if np.all(converged) or not grows:
            break
    top, lowest = (
        Eigenvalue(float(value), float(residual), bool(done))
        for value, residual, done in zip(values[[-1, 0]], residuals, converged, strict=True)
    )
    ends = np.einsum("ie,ij->ej", vectors[:, [-1, 0]].astype(np.float32), basis[: step + 1])
    return Spectrum(top, lowest, ends[0], ends[1], krylov, step + 1)


def dot(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """Returns the inner product, summed in float64.

    By einsum, and so are all products of long vectors here: the threads of BLAS get in the way of
    those of TensorFlow, which made a probe on a busy machine several times slower.
    """
    return float(np.einsum("i,i->", a, b, dtype=np.float64))


def project_out(basis: Vector, vector: Double) -> None:
    """Takes out of `vector`, in place, its part in the space that `basis` spans.

    Twice, since the first time leaves the rounding of what was taken out.
    """
    for _ in range(2):
        weights = np.einsum("ij,j->i", basis, vector)
        vector -= np.einsum("i,ij->j", weights, basis)


def _start(hints: Sequence[Vector], size: int, random: np.random.Generator) -> Double:
    fresh = random.standard_normal(size)
    start = _FRESH * fresh / math.sqrt(dot(fresh, fresh))
    for hint in hints:
        start += hint
    return np.asarray(start / math.sqrt(dot(start, start)))


def _not_finite(size: int, products: int) -> Spectrum:
    value = Eigenvalue(math.nan, math.nan, converged=False)
    vector = np.full(size, np.nan, np.float32)
    return Spectrum(value, value, vector, vector, None, products)
