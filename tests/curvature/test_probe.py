"""Probes of small networks, against their full Hessian."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.curvature import CurvatureProbe, keras_loss
from tests.curvature import networks


def bowl(weights: Any, target: Any = 0.0) -> Any:
    """A quadratic with the Hessian diag(1, 4, -2)."""
    return tf.reduce_sum(tf.constant([1.0, 4.0, -2.0]) * (weights[0] - target) ** 2) / 2.0


POINT = [tf.constant([1.0, 1.0, 1.0])]


def test_a_quadratic_is_measured_exactly() -> None:
    found = CurvatureProbe(bowl).measure(POINT, update=[np.array([-0.5, 0.0, 0.0])])

    assert found.loss == pytest.approx(1.5)
    assert found.gradient_norm == pytest.approx(math.sqrt(21.0))
    assert found.gradient_curvature == pytest.approx((1 + 64 - 8) / 21)
    assert found.update_curvature == pytest.approx(1.0)
    assert found.update_overshoot == pytest.approx(0.25)
    assert found.top.value == pytest.approx(4.0)
    assert found.lowest.value == pytest.approx(-2.0)
    assert found.trace.value == pytest.approx(3.0)
    assert found.mean_curvature == pytest.approx(1.0)
    assert found.preconditioned is None


@pytest.mark.parametrize(("step", "overshoot"), [(0.5, 0.25), (1.0, 0.5), (2.0, 1.0), (3.0, 1.5)])
def test_overshoot_tells_how_far_beyond_the_best_step_an_update_went(
    step: float, overshoot: float
) -> None:
    found = CurvatureProbe(bowl).measure(POINT, update=[np.array([-step, 0.0, 0.0])])

    assert found.update_overshoot == pytest.approx(overshoot)


def test_preconditioned_sharpness_is_that_of_the_scaled_hessian() -> None:
    found = CurvatureProbe(bowl).measure(POINT, preconditioner=[np.array([0.1, 8.0, 1.0])])

    assert found.preconditioned is not None
    assert found.preconditioned.value == pytest.approx(10.0)


def test_what_cannot_be_measured_is_none() -> None:
    found = CurvatureProbe(bowl).measure([tf.zeros([3])], update=[np.zeros(3)])

    assert found.gradient_curvature is None
    assert found.update_curvature is None
    assert found.update_overshoot is None


def test_an_update_against_the_gradient_has_no_overshoot() -> None:
    found = CurvatureProbe(bowl).measure(POINT, update=[np.array([0.5, 0.0, 0.0])])

    assert found.update_curvature == pytest.approx(1.0)
    assert found.update_overshoot is None


def test_nan_is_carried_and_costs_little() -> None:
    weights = [tf.constant([1.0, math.nan, 1.0])]

    found = CurvatureProbe(lambda w: bowl(w) ** 2).measure(weights, update=POINT)

    numbers = (
        found.loss,
        found.gradient_norm,
        found.gradient_curvature,
        found.top.value,
        found.lowest.value,
        found.trace.value,
    )
    assert all(value is not None and math.isnan(value) for value in numbers)
    assert not found.top.converged
    assert found.products <= 5


def test_bounds_the_number_of_products() -> None:
    diagonal = tf.linspace(-1.0, 1.0, 500)
    probe = CurvatureProbe(
        lambda weights, scale: scale * tf.reduce_sum(diagonal * weights[0] ** 2),
        eigen_products=5,
        trace_products=2,
    )

    for _ in range(2):  # from the second one on there is another batch
        found = probe.measure(
            [tf.ones([500])], (1.0,), update=[np.ones(500)], preconditioner=[np.ones(500)]
        )

    assert found.products == probe.max_products == 2 + 5 + 5 + 2 + 1
    assert not found.top.converged


def test_a_later_probe_needs_fewer_products() -> None:
    diagonal = np.linspace(-1.0, 1.0, 500).astype("float32")
    diagonal[:2] = 1.3, -1.3
    probe = CurvatureProbe(
        lambda weights: tf.reduce_sum(diagonal * weights[0] ** 2), eigen_products=60
    )

    first, second = (probe.measure([tf.ones([500])]) for _ in range(2))

    assert second.products < first.products
    assert second.top.value == pytest.approx(2.6, rel=1e-4)


def test_the_sharpest_direction_is_held_against_the_batch_before() -> None:
    def loss(weights: Any, batch: Any) -> Any:
        return tf.reduce_sum(tf.reduce_mean(batch, axis=0) * weights[0] ** 2) / 2.0

    probe = CurvatureProbe(loss)
    batches = [[[9.0, 1.0]], [[1.0, 6.0]], [[1.0, 6.0]], [[1.0, 6.0]] * 2]

    found = [probe.measure([tf.ones([2])], (tf.constant(batch),)) for batch in batches]

    assert found[0].elsewhere is None
    assert found[1].elsewhere == pytest.approx(1.0, rel=1e-3)
    assert found[2].elsewhere == pytest.approx(6.0, rel=1e-3)
    assert found[3].elsewhere is None  # of another shape


def test_weights_that_no_gradient_reaches_are_counted() -> None:
    weights = [tf.constant([1.0, 0.0, 0.0, 2.0]), tf.zeros([3]), tf.ones([2])]

    found = CurvatureProbe(lambda w: tf.reduce_sum(w[0] ** 2) + tf.reduce_sum(w[2])).measure(
        weights
    )

    assert found.idle == (0.5, 1.0, 0.0)


def test_a_probe_after_nan_starts_afresh() -> None:
    probe = CurvatureProbe(bowl)
    probe.measure([tf.constant([math.nan] * 3)], (math.nan,))

    assert probe.measure(POINT, (0.0,)).top.value == pytest.approx(4.0)


def test_names_a_batch_size_that_is_none() -> None:
    with pytest.raises(ValueError, match="batch_size must be 1 or more, or None, got 0"):
        CurvatureProbe(bowl, batch_size=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_agrees_with_the_full_hessian_of(name: str) -> None:
    hessian = networks.full_hessian(name)
    model = networks.compiled(name)
    probe = CurvatureProbe(keras_loss(model), eigen_products=60, trace_products=20)
    diagonal = np.random.default_rng(7).uniform(0.5, 2.0, len(hessian))
    weights = networks.values(model)
    layout = [tuple(weight.shape) for weight in weights]
    parts = np.split(diagonal, np.cumsum([int(np.prod(shape)) for shape in layout])[:-1])

    found = probe.measure(
        weights,
        networks.batch(model),
        preconditioner=[part.reshape(shape) for part, shape in zip(parts, layout, strict=True)],
    )

    values = np.linalg.eigvalsh(hessian)
    scaled = np.linalg.eigvalsh(hessian / np.sqrt(np.outer(diagonal, diagonal)))
    assert found.top.converged
    assert found.top.value == pytest.approx(values[-1], rel=1e-3)
    assert found.lowest.value == pytest.approx(values[0], abs=1e-3 * values[-1])
    assert found.preconditioned is not None
    assert found.preconditioned.value == pytest.approx(scaled[-1], rel=1e-3)
    assert abs(found.trace.value - np.trace(hessian)) <= 2.0 * found.trace.error
    assert found.trace.error < 0.1 * np.abs(values).sum()
    assert found.trace.parts.sum() == pytest.approx(found.trace.value)


@pytest.mark.slow
def test_xla_and_slices_find_the_same() -> None:
    model = networks.compiled("dense")
    weights, batch = networks.values(model), networks.batch(model)

    plain, other = (
        CurvatureProbe(keras_loss(model), eigen_products=60, **options).measure(weights, batch)
        for options in ({}, {"jit_compile": True, "batch_size": 10})
    )

    for field in ("loss", "gradient_norm", "gradient_curvature"):
        assert getattr(other, field) == pytest.approx(getattr(plain, field), rel=1e-4)
    assert other.top.value == pytest.approx(plain.top.value, rel=1e-4)
    assert dataclasses.asdict(other.trace)["value"] == pytest.approx(plain.trace.value, rel=0.1)
