"""Hessian-vector products of functions whose second derivatives are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.curvature.hvp import Layout, gradient, hessian_vector_product
from tensorboard_gradhealth.curvature.operator import Hessian, TracedLoss
from tensorboard_gradhealth.curvature.reasons import NotDifferentiableTwice, NotPure

Weights = Sequence[Any]

MODES: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "eager": lambda function: function,
    "graph": lambda function: tf.function(function, autograph=False),
    "XLA": lambda function: tf.function(function, autograph=False, jit_compile=True),
}


def saddle(weights: Weights, scale: Any = 1.0) -> Any:
    """x^2 y + 3 y^2, whose Hessian is [[2y, 2x], [2x, 6]]."""
    x, y = weights
    return scale * tf.reduce_sum(x * x * y + 3.0 * y * y)


@pytest.mark.parametrize("mode", MODES)
def test_product_is_that_of_the_analytic_hessian(mode: str) -> None:
    weights, vectors = [tf.constant([2.0]), tf.constant([5.0])], [tf.constant([1.0])] * 2

    product = MODES[mode](lambda: hessian_vector_product(saddle, weights, vectors))()

    np.testing.assert_allclose([p.numpy()[0] for p in product], [10.0 + 4.0, 4.0 + 6.0])


@pytest.mark.parametrize("mode", MODES)
def test_embeddings_and_loops_have_products_too(mode: str) -> None:
    table, vector = tf.reshape(tf.range(6.0), [3, 2]), tf.ones([3, 2])

    def loss(weights: Weights) -> Any:
        rows = tf.gather(weights[0], [0, 2, 2])
        cubes = tf.while_loop(
            lambda i, _: i < 2, lambda i, x: (i + 1, x * rows), (0, rows), maximum_iterations=2
        )[1]
        return tf.reduce_sum(cubes)

    (product,) = MODES[mode](lambda: hessian_vector_product(loss, [table], [vector]))()

    seen = np.array([[1.0], [0.0], [2.0]])
    np.testing.assert_allclose(product, 6.0 * seen * table.numpy())


def test_gradient_is_dense_and_zero_where_the_loss_does_not_depend_on_a_weight() -> None:
    used, unused = tf.constant([3.0]), tf.constant([[1.0, 2.0]])

    loss, slopes = gradient(lambda weights: tf.reduce_sum(weights[0] ** 2), [used, unused])

    assert float(loss) == 9.0
    np.testing.assert_array_equal(slopes[0], [6.0])
    np.testing.assert_array_equal(slopes[1], [[0.0, 0.0]])


def test_a_loss_without_curvature_has_a_product_of_zero() -> None:
    (product,) = hessian_vector_product(
        lambda weights: tf.reduce_sum(tf.abs(weights[0])), [tf.ones([3])], [tf.ones([3])]
    )

    np.testing.assert_array_equal(product, np.zeros(3))


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_names_the_operation_without_second_derivative(mode: str) -> None:
    image = [tf.ones([1, 3, 3, 1])]

    def loss(weights: Weights) -> Any:
        return tf.reduce_sum(tf.nn.local_response_normalization(weights[0]))

    with pytest.raises(NotDifferentiableTwice, match="LRNGrad") as raised:
        MODES[mode](lambda: hessian_vector_product(loss, image, image))()

    assert raised.value.operation == "LRNGrad"


def test_names_the_operation_whose_second_derivative_is_missed_only_when_run() -> None:
    def loss(weights: Weights) -> Any:
        logits = tf.reshape(weights[0], [6, 1, 4])
        return tf.nn.ctc_loss([[1]], logits, label_length=[1], logit_length=[6])[0]

    hessian = Hessian(TracedLoss(loss), [tf.ones([24])], ())

    with pytest.raises(NotDifferentiableTwice, match="ctc_loss"):
        hessian @ np.ones(24, np.float32)


def test_refuses_a_loss_that_writes_or_draws_other_random_numbers_each_time() -> None:
    counter = tf.Variable(0.0)

    def counting(weights: Weights) -> Any:
        counter.assign_add(1.0)
        return tf.reduce_sum(weights[0])

    def noisy(weights: Weights) -> Any:
        return tf.reduce_sum(weights[0] * tf.random.normal([2]))

    for loss, operation in ((counting, "AssignAddVariableOp"), (noisy, "RandomStandardNormal")):
        with pytest.raises(NotPure, match=operation):
            Hessian(TracedLoss(loss), [tf.ones([2])], ()).gradient()
    assert float(counter) == 0.0


def test_a_hessian_is_symmetric_and_traced_once_for_all_weights_and_batches() -> None:
    traces = []

    def loss(weights: Weights, scale: Any) -> Any:
        traces.append(1)
        return saddle(weights, scale)

    traced = TracedLoss(loss)
    for point, scale in ((2.0, 1.0), (4.0, 0.5)):
        weights = [tf.constant([point]), tf.constant([5.0])]
        hessian = Hessian(traced, weights, (tf.constant(scale),))
        rows = [hessian @ row for row in np.eye(2, dtype=np.float32)]
        np.testing.assert_allclose(rows, [[10 * scale, 4.0], [4.0, 6 * scale]])
        assert hessian.products == 2
    assert len(traces) == 1


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_slices_of_a_batch_add_up_to_the_whole(batch_size: int) -> None:
    x = np.random.default_rng(0).normal(size=(7, 2)).astype("float32")

    def loss(weights: Weights, x: Any, y: Any) -> Any:
        assert y is None
        return tf.reduce_mean(tf.exp(tf.linalg.matvec(x, weights[0])))

    traced, weights, vector = TracedLoss(loss), [tf.ones([2])], np.array([1.0, -2.0], np.float32)
    whole = Hessian(traced, weights, (x, None))
    sliced = Hessian(traced, weights, (x, None), batch_size)

    np.testing.assert_allclose(sliced @ vector, whole @ vector, rtol=1e-5)
    np.testing.assert_allclose(sliced.gradient()[0], whole.gradient()[0], rtol=1e-6)
    np.testing.assert_allclose(sliced.gradient()[1], whole.gradient()[1], rtol=1e-5)


def test_a_loss_may_read_variables_by_itself() -> None:
    x, y = tf.Variable([2.0]), tf.Variable([5.0])
    traced = TracedLoss(lambda _: saddle([x.value(), y.value()]), variables=[x, y])
    ones = np.ones(2, np.float32)

    np.testing.assert_allclose(Hessian(traced, traced.weights(None), ()) @ ones, [14.0, 10.0])
    x.assign([3.0])
    np.testing.assert_allclose(Hessian(traced, traced.weights(None), ()) @ ones, [16.0, 12.0])


def test_says_when_weights_are_missing_or_given_twice() -> None:
    x = tf.Variable([2.0])
    for traced, weights in ((TracedLoss(saddle), None), (TracedLoss(saddle, [x]), [x])):
        with pytest.raises(ValueError, match="given exactly if the probe was made without"):
            traced.weights(weights)


def test_a_layout_takes_a_vector_apart_and_joins_it_again() -> None:
    arrays = [np.arange(6.0).reshape(2, 3), np.float64(7.0), np.zeros((0, 4))]
    layout = Layout.of(arrays)

    vector = layout.join_numpy(arrays)

    assert layout.size == 7
    assert [part.start for part in layout.slices] == [0, 6, 7]
    np.testing.assert_array_equal(layout.join(layout.split(tf.constant(vector))), vector)
    with pytest.raises(ValueError, match="expected arrays of the shapes"):
        layout.join_numpy(arrays[:1])
