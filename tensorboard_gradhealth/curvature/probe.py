"""One look at the shape of a loss: curvature along gradient and update, sharpness and trace."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tensorboard_gradhealth.curvature.hvp import Layout, LossFunction
from tensorboard_gradhealth.curvature.lanczos import (
    Double,
    Eigenvalue,
    Krylov,
    Product,
    Spectrum,
    Vector,
    dot,
    spectrum,
)
from tensorboard_gradhealth.curvature.operator import Hessian, TracedLoss, as_tensors
from tensorboard_gradhealth.curvature.trace import Trace, estimate_trace


@dataclasses.dataclass(frozen=True, slots=True)
class Curvature:
    """What one probe found. `None` is what was not measured, NaN what was measured as NaN.

    Attributes:
      loss: Of the batch.
      gradient_norm: |g|.
      gradient_curvature: g'Hg / g'g; `None` where the gradient is zero.
      update_curvature: d'Hd / d'd along the update d; `None` without one, or if it is zero.
      update_overshoot: rho = -d'Hd / 2g'd: 0.5 is the best step along the update, above 1 it
        raises the (quadratic) loss; `None` also where the update does not descend (g'd >= 0).
      top: The algebraically largest eigenvalue of the Hessian: its sharpness.
      lowest: The most negative eigenvalue.
      elsewhere: Curvature of the loss of another batch along the sharpest direction, see
        `CurvatureProbe`; near to `top` if the batch stands for all data.
      preconditioned: The largest eigenvalue of P^-1/2 H P^-1/2; `None` without preconditioner.
      trace: Of the Hessian, with standard error; its parts are those of the variables.
      idle: Share of the elements of each variable whose gradient is exactly zero.
      parameters: Elements of all weights.
      products: Hessian-vector products that were computed.
      seconds: Time that the probe took, tracing included.
    """

    loss: float
    gradient_norm: float
    gradient_curvature: float | None
    update_curvature: float | None
    update_overshoot: float | None
    top: Eigenvalue
    lowest: Eigenvalue
    elsewhere: float | None
    preconditioned: Eigenvalue | None
    trace: Trace
    idle: tuple[float, ...]
    parameters: int
    products: int
    seconds: float

    @property
    def mean_curvature(self) -> float:
        """Trace per parameter: the average of all eigenvalues."""
        return self.trace.value / self.parameters


class CurvatureProbe:
    """Measures the curvature of one loss again and again, on other weights and batches.

    The loss is traced at the first probe and once more for each new shape of a batch. Later probes
    start from the eigenvectors of the one before and need fewer products.

    The sharpest direction of a small batch bends that batch more than it bends the whole data. So
    the batch of the probe before, if it was of the same shape, is multiplied by it as well.

    Args:
      loss_fn: See `LossFunction`; `keras_loss` and `variables_loss` make one.
      variables: `tf.Variable`s that `loss_fn` reads by itself; then `measure` takes no weights.
      jit_compile: Whether XLA compiles gradient and products.
      batch_size: Examples that are differentiated at a time, which bounds memory; `None` takes
        the batch whole. The loss must be a mean over examples. With BatchNorm it is that of
        batches of this size.
      eigen_products: Products for each spectrum, at most.
      trace_products: Products for the trace, at least 2.
      tolerance: Relative residual at which an eigenvalue counts as converged.
      seed: Of the random vectors, which come from a generator of the probe's own.
    """

    def __init__(
        self,
        loss_fn: LossFunction,
        *,
        variables: Sequence[tf.Variable] | None = None,
        jit_compile: bool = False,
        batch_size: int | None = None,
        eigen_products: int = 20,
        trace_products: int = 8,
        tolerance: float = 1e-3,
        seed: int = 0,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, or None, got {batch_size}")
        self._loss = TracedLoss(loss_fn, variables, jit_compile)
        self._batch_size = batch_size
        self._eigen_products = eigen_products
        self._trace_products = trace_products
        self._tolerance = tolerance
        self._random = np.random.default_rng(seed)
        self._hints: dict[str, list[Vector]] = {}
        self._last_batch: Sequence[Any] = ()

    @property
    def max_products(self) -> int:
        """Hessian-vector products of one probe at most; each costs up to three training steps."""
        return 3 + 2 * self._eigen_products + self._trace_products

    def measure(
        self,
        weights: Sequence[Any] | None = None,
        batch: Sequence[Any] = (),
        *,
        update: Sequence[Any] | None = None,
        preconditioner: Sequence[Any] | None = None,
    ) -> Curvature:
        """Probes the loss at `weights`; changes nothing but what it remembers itself.

        Args:
          weights: Tensors or arrays that `loss_fn` is called with; `None` with `variables`.
          batch: The other arguments of `loss_fn`: tensors, arrays, nests of them, or `None`.
          update: A change of the weights, such as that of the last step, shaped like them.
          preconditioner: Positive diagonal, shaped like the weights: see `keras_preconditioner`.

        Raises:
          NotMeasurable: The loss has no second derivative, or is not a pure function.
          ValueError: Shapes do not fit.
        """
        started = time.perf_counter()
        tensors = self._loss.weights(weights)
        layout = Layout.of(tensors)
        batch = as_tensors(batch)
        hessian = Hessian(self._loss, tensors, batch, self._batch_size)
        loss, slope = hessian.gradient()
        change = None if update is None else layout.join_numpy(update)
        along_update = _along(hessian, change)
        ends = self._spectrum("hessian", hessian.__matmul__, layout.size)
        return Curvature(
            loss=loss,
            gradient_norm=math.sqrt(dot(slope, slope)),
            gradient_curvature=_along(hessian, slope),
            update_curvature=along_update,
            update_overshoot=_overshoot(slope, change, along_update),
            top=ends.top,
            lowest=ends.lowest,
            elsewhere=self._elsewhere(hessian, batch, ends.top_vector),
            preconditioned=self._preconditioned(hessian, layout, preconditioner),
            trace=self._trace(hessian, layout, ends.krylov),
            idle=tuple(float(np.mean(slope[part] == 0.0)) for part in layout.slices),
            parameters=layout.size,
            products=hessian.products,
            seconds=time.perf_counter() - started,
        )

    def _preconditioned(
        self, hessian: Hessian, layout: Layout, preconditioner: Sequence[Any] | None
    ) -> Eigenvalue | None:
        if preconditioner is None:
            return None
        roots = 1.0 / np.sqrt(layout.join_numpy(preconditioner))

        def product(vector: Vector) -> Double:
            return np.asarray(roots * (hessian @ np.asarray(roots * vector)))

        return self._spectrum("preconditioned", product, layout.size).top

    def _elsewhere(self, hessian: Hessian, batch: Sequence[Any], direction: Vector) -> float | None:
        last, self._last_batch = self._last_batch, batch
        if not last or _kinds(last) != _kinds(batch):
            return None  # it would have to be traced anew
        return dot(direction, hessian.product_on(last, direction))

    def _trace(self, hessian: Hessian, layout: Layout, known: Krylov | None) -> Trace:
        return estimate_trace(
            hessian.__matmul__,
            layout.size,
            random=self._random,
            samples=self._trace_products,
            groups=layout.slices,
            known=known,
        )

    def _spectrum(self, name: str, product: Product, size: int) -> Spectrum:
        found = spectrum(
            product,
            size,
            random=self._random,
            hints=self._hints.get(name, ()),
            max_products=self._eigen_products,
            tolerance=self._tolerance,
        )
        finite = found.krylov is not None
        self._hints[name] = [found.top_vector, found.lowest_vector] if finite else []
        return found


def _kinds(batch: Sequence[Any]) -> list[Any]:
    """Returns shapes and types of all tensors of a batch."""
    leaves = tf.nest.flatten(batch)
    return [None if leaf is None else (leaf.shape, leaf.dtype) for leaf in leaves]


def _along(hessian: Hessian, direction: npt.NDArray[Any] | None) -> float | None:
    """Returns the curvature along a direction; `None` if there is none, or it is zero."""
    if direction is None:
        return None
    length = math.sqrt(dot(direction, direction))
    if length == 0.0:
        return None
    unit = np.asarray(direction / length, np.float32)
    return dot(unit, hessian @ unit)


def _overshoot(slope: Double, change: Vector | None, curvature: float | None) -> float | None:
    if change is None or curvature is None:
        return None
    descent = dot(slope, change)
    if descent >= 0.0:
        return None
    return -curvature * dot(change, change) / (2.0 * descent)
