"""The trace of a symmetric matrix, from its products with vectors alone.

Hutchinson's estimator with random signs, after the part of the trace that a Krylov space already
tells exactly is taken out, as Hutch++ does (Meyer, Musco, Musco and Woodruff 2021): the Hessian of
a loss has a few large eigenvalues, which would make most of the noise and are in that space.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tensorboard_gradhealth.curvature.lanczos import Double, Krylov, Product, project_out


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """A trace and the sums of parts of the diagonal, each with its standard error.

    Attributes:
      value: Of the whole matrix; NaN if a product was not finite.
      error: Its standard error.
      parts: float64 `[groups]`.
      part_errors: float64 `[groups]`.
      products: How often the matrix was multiplied.
    """

    value: float
    error: float
    parts: Double
    part_errors: Double
    products: int


def estimate_trace(
    product: Product,
    size: int,
    *,
    random: np.random.Generator,
    samples: int = 8,
    groups: Sequence[slice] = (),
    known: Krylov | None = None,
) -> Trace:
    """Returns the trace of a symmetric matrix `[size, size]`, and that of blocks of its diagonal.

    Args:
      product: Multiplies by the matrix; called at most `samples` times.
      size: Rows of the matrix.
      random: Draws the signs.
      samples: At least 2, for a standard error.
      groups: Parts of the diagonal that are summed apart, such as a layer's.
      known: Of the same matrix; makes the estimate the better the larger it is.

    Raises:
      ValueError: `samples` is below 2.
    """
    if samples < 2:
        raise ValueError(f"a standard error needs 2 samples or more, got {samples}")
    slices = [slice(0, size), *groups]
    drawn = np.empty((samples, len(slices)))
    for sample in range(samples):
        diagonal = _sample_of_rest(product, size, random, known)
        drawn[sample] = [diagonal[part].sum() for part in slices]
        if not math.isfinite(drawn[sample, 0]):
            return _not_finite(len(groups), sample + 1)
    means = drawn.mean(axis=0)
    if known is not None:
        exact = _known_diagonal(known)
        means += [exact[part].sum() for part in slices]
    errors = drawn.std(axis=0, ddof=1) / math.sqrt(samples)
    return Trace(float(means[0]), float(errors[0]), means[1:], errors[1:], samples)


def _sample_of_rest(
    product: Product, size: int, random: np.random.Generator, known: Krylov | None
) -> Double:
    """Returns a vector whose expectation is the diagonal of what `known` does not tell."""
    signs = random.choice(np.array([-1.0, 1.0]), size)
    vector = signs.copy()
    if known is not None:
        project_out(known.basis[:-1], vector)
    image = np.asarray(product(vector.astype(np.float32)), np.float64)
    if known is not None:
        project_out(known.basis[:-1], image)
    return np.asarray(signs * image)


def _known_diagonal(known: Krylov) -> Double:
    """Returns the diagonal of A less that of PAP, where P projects out the Krylov space.

    Since AQ = QT + b q e', A - PAP = QTQ' + b (q p' + p q'), where p is the last vector of Q.
    """
    total = np.zeros(known.basis.shape[1])
    for row, vector in enumerate(known.basis[:-1]):
        total += known.diagonal[row] * np.square(vector, dtype=np.float64)
        total += 2.0 * known.beside[row] * vector * known.basis[row + 1]
    return total


def _not_finite(groups: int, products: int) -> Trace:
    nothing = np.full(groups, np.nan)
    return Trace(math.nan, math.nan, nothing, nothing, products)
