"""Every signal against its reference in plain NumPy."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.signals import PRESETS, all_signals, preset_signals
from tensorboard_gradhealth.signals._base import (
    ActivationContext,
    DirectionContext,
    GradientContext,
    OutputContext,
    PredictionContext,
    RunningContext,
    StepContext,
    UpdateContext,
)
from tensorboard_gradhealth.signals._norm import (
    LARGE,
    compiled_by_xla,
    deviation_of_each,
    inner_product,
    mean_of_each,
    squared_norm,
    squared_norms,
)
from tensorboard_gradhealth.signals.dead_fraction import silent_units
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.signals import reference

RANDOM = np.random.default_rng(0)
NAN, INF = float("nan"), float("inf")


def measure(name: str, context: Any, compiled: bool = False) -> np.ndarray:
    signal = next(signal for signal in all_signals() if signal.spec.name == name)
    if not compiled:
        return np.asarray(signal.measure(context))
    return np.asarray(tf.function(lambda: signal.measure(context), jit_compile=True)())


def activation(inputs: Any, function: Any, **more: Any) -> ActivationContext:
    before = tf.constant(np.asarray(inputs, np.float32))[tf.newaxis]
    with tf.GradientTape() as tape:
        tape.watch(before)
        after = function(before)
    return ActivationContext(before, after, tape.gradient(after, before), **more)


def update(befores: list[np.ndarray], afters: list[np.ndarray]) -> UpdateContext:
    changes = [squared_norm(tf.constant(a - b)) for a, b in zip(afters, befores, strict=True)]
    sizes = [squared_norm(tf.constant(b)) for b in befores]
    return UpdateContext(tf.stack(changes), tf.stack(sizes), [tf.Variable(a) for a in afters])


@pytest.mark.parametrize("compiled", [False, True])
def test_gradient_norm_of_dense_gradients(compiled: bool) -> None:
    gradients = [RANDOM.normal(size=(7, 5)).astype("f"), RANDOM.normal(size=3).astype("f")]
    context = GradientContext([tf.constant(g) for g in gradients])
    expected = [reference.gradient_norm(g.astype(np.float64)) for g in gradients]
    np.testing.assert_allclose(measure("gradient_norm", context, compiled), expected, rtol=1e-6)


def test_gradient_norm_adds_repeated_rows_of_a_sparse_gradient_before_squaring() -> None:
    sparse = tf.IndexedSlices(tf.constant([[1.0, 0.0], [2.0, 0.0]]), tf.constant([4, 4]), [9, 2])
    assert measure("gradient_norm", GradientContext([sparse])) == pytest.approx([3.0])


def test_gradient_norm_of_half_precision_does_not_overflow() -> None:
    gradient = tf.fill([100], tf.constant(3000.0, tf.float16))
    assert measure("gradient_norm", GradientContext([gradient])) == pytest.approx([30_000.0])


@pytest.mark.parametrize("compiled", [False, True])
def test_nonfinite_gradients_are_counted_per_variable(compiled: bool) -> None:
    context = GradientContext(
        [tf.constant([1.0, NAN, INF]), tf.constant([1.0]), tf.constant([-INF])]
    )
    assert measure("gradient_nonfinite", context, compiled).tolist() == [2, 0, 1]


def test_nonfinite_counts_are_zero_when_only_the_square_overflows() -> None:
    assert measure("gradient_nonfinite", GradientContext([tf.constant([1e30])])).tolist() == [0]


def test_global_norm_is_that_of_all_gradients_together() -> None:
    context = StepContext(squared_norms=tf.constant([9.0, 16.0]))
    assert measure("gradient_global_norm", context) == pytest.approx(5.0)


def test_loss_and_learning_rate_are_passed_on() -> None:
    context = StepContext(tf.constant(0.5), tf.constant(1e-3))
    assert measure("loss", context) == pytest.approx(0.5)
    assert measure("learning_rate", context) == pytest.approx(1e-3)


def test_nonfinite_inputs_are_counted_over_all_inputs() -> None:
    context = StepContext(inputs=[tf.constant([[1.0, NAN]]), tf.constant([[INF, INF]])])
    assert measure("input_nonfinite", context) == 3


def test_update_signals_follow_the_weights() -> None:
    before = RANDOM.normal(size=(6, 4)).astype("f")
    after = before + 0.1 * RANDOM.normal(size=(6, 4)).astype("f")
    context = update([before], [after])
    ratio = reference.update_ratio(before.astype(np.float64), after.astype(np.float64))
    np.testing.assert_allclose(measure("update_ratio", context), [ratio], rtol=1e-5)
    np.testing.assert_allclose(
        measure("weight_rms", context), [reference.weight_rms(before.astype(np.float64))], rtol=1e-6
    )


def test_update_ratio_of_a_variable_that_was_zero_is_not_measured() -> None:
    context = update([np.zeros(3, "f")], [np.ones(3, "f")])
    assert measure("update_ratio", context) == NOT_MEASURED


def test_update_ratio_of_a_broken_variable_is_not_a_number() -> None:
    context = update([np.ones(2, "f")], [np.array([NAN, 1.0], "f")])
    assert np.isnan(measure("update_ratio", context)).all()
    assert measure("weight_nonfinite", context).tolist() == [1]


@pytest.mark.parametrize(
    ("function", "steepest"),
    [(tf.nn.relu, 1.0), (tf.tanh, 1.0), (tf.sigmoid, 0.25), (lambda x: tf.tanh(0.01 * x), 0.01)],
)
def test_activation_signals(function: Any, steepest: float) -> None:
    inputs = RANDOM.normal(scale=4.0, size=(20, 8))
    context = activation(inputs, function, steepest=steepest)
    before, after, slopes = (
        np.asarray(part, np.float64)
        for part in (context.inputs[0], context.outputs[0], context.slopes[0])
    )
    expected = {
        "zero_fraction": reference.zero_fraction(after),
        "activation_gain": reference.activation_gain(before, after),
        "activation_slope": reference.activation_slope(slopes),
        "saturated_fraction": reference.saturated_fraction(after, slopes, steepest),
    }
    for name, value in expected.items():
        assert measure(name, context) == pytest.approx([value], rel=1e-4), name


def test_activations_of_equal_shape_are_measured_side_by_side() -> None:
    inputs = RANDOM.normal(size=(3, 10, 4)).astype("f")
    together = ActivationContext(
        tf.constant(inputs), tf.tanh(inputs), 1 - tf.tanh(inputs) ** 2, steepest=1.0
    )
    for name in ("zero_fraction", "activation_gain", "activation_slope", "saturated_fraction"):
        alone = [measure(name, activation(one, tf.tanh, steepest=1.0))[0] for one in inputs]
        np.testing.assert_allclose(measure(name, together), alone, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_output_with_nan_or_infinity_is_marked(compiled: bool) -> None:
    outputs = [tf.constant([[1.0, bad]]) for bad in (2.0, NAN, INF, -INF)]
    measured = measure("activation_nonfinite", OutputContext.of(outputs), compiled)
    assert measured.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("compiled", [False, True])
def test_outputs_are_not_looked_at_while_the_loss_is_finite(compiled: bool) -> None:
    outputs = [tf.constant([[NAN]]), tf.constant([[1.0]])]
    for sound, expected in ((True, [0, 0]), (False, [1, 0])):
        context = OutputContext.of(outputs, tf.constant(sound))
        assert measure("activation_nonfinite", context, compiled).tolist() == expected


def test_gain_of_a_constant_input_is_not_measured() -> None:
    assert measure("activation_gain", activation(np.ones((4, 3)), tf.tanh)) == NOT_MEASURED


def test_a_unit_is_silent_when_its_loudest_output_is_nothing_beside_the_layer() -> None:
    outputs = tf.constant([[[0.0, 1.0, 1e-5], [0.0, 0.0, 1e-5]]])
    assert silent_units(outputs).numpy().tolist() == [[True, False, True]]
    assert silent_units(1e-9 * outputs).numpy().tolist() == [[True, False, True]]
    assert silent_units(tf.zeros([1, 2, 2])).numpy().all()


def test_a_unit_is_dead_after_512_silent_samples() -> None:
    context = activation(
        np.ones((1, 4)), tf.nn.relu, silent_samples=tf.constant([[0, 511, 512, 9e9]])
    )
    assert measure("dead_fraction", context) == pytest.approx(0.5)


def test_input_features_merge_batches_exactly() -> None:
    samples = np.float32(1e4) + RANDOM.normal(size=(300, 3)).astype("f")
    samples[5, 1] = NAN
    state = tf.zeros([3, 6])
    for batch in np.split(samples, [100, 101, 250]):
        state = tf.constant(measure("input_features", RunningContext(tf.constant(batch), state)))
    expected = reference.feature_statistics(samples.astype(np.float64))
    np.testing.assert_allclose(state.numpy(), expected, rtol=1e-3)


def test_label_counts_add_up() -> None:
    state = tf.constant([[10.0], [0.0]])
    labels = tf.one_hot([0, 1, 1], 2)
    assert measure("label_counts", RunningContext(labels, state)).tolist() == [[11.0], [2.0]]


def test_weight_growth_is_relative_to_the_first_size() -> None:
    first = tf.constant([4.0, 0.0])
    context = dataclasses.replace(
        update([np.full((2, 2), 3.0, "f"), np.ones(3, "f")], [np.zeros((2, 2)), np.ones(3, "f")]),
        first_squared_weights=first,
    )
    assert measure("weight_growth", context).tolist() == [3.0, NOT_MEASURED]


@pytest.mark.parametrize("compiled", [False, True])
def test_update_cosine_tells_steady_steps_from_a_zigzag(compiled: bool) -> None:
    before = tf.constant([1.0, 2.0, 1.0, 2.0, 1.0, 0.0, 0.0])
    change = tf.constant([2.0, 4.0, -0.5, -1.0, 0.0, 3.0, 1.0])
    context = DirectionContext(before, change, np.array([0, 0, 1, 1, 2, 2, 3]), 4)
    cosines = measure("update_cosine", context, compiled)
    np.testing.assert_allclose(cosines, [1.0, -1.0, 0.0, NOT_MEASURED], atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "units", "expected"),
    [
        ("sparse_categorical_crossentropy", 10, np.log(10)),
        ("categorical_crossentropy", 3, np.log(3)),
        ("binary_crossentropy", 4, np.log(2)),
        ("mse", 1, np.mean([4.0, 0.0, 1.0, 1.0])),
        ("mean_absolute_error", 1, 1.0),
    ],
)
def test_expected_initial_loss(loss: str, units: int, expected: float) -> None:
    labels = tf.constant([[2.0], [0.0], [1.0], [-1.0]])
    context = PredictionContext(loss, labels, tf.zeros([4, units]))
    assert measure("expected_initial_loss", context) == pytest.approx(expected)


def test_other_losses_have_no_expected_value() -> None:
    context = PredictionContext("my_loss", tf.zeros([4]), tf.zeros([4, 2]))
    for name in ("expected_initial_loss", "predicted_share"):
        signal = next(signal for signal in all_signals() if signal.spec.name == name)
        assert signal.measure(context) is None


def test_predicted_share_of_classes() -> None:
    outputs = tf.one_hot([[2, 2], [0, 2]], 3)
    context = PredictionContext("sparse_categorical_crossentropy", tf.zeros([2, 2]), outputs)
    np.testing.assert_allclose(measure("predicted_share", context), [0.25, 0.0, 0.75])


@pytest.mark.parametrize(("from_logits", "positive"), [(False, 0.25), (True, 0.75)])
def test_predicted_share_of_one_unit_knows_its_threshold(
    from_logits: bool, positive: float
) -> None:
    outputs = tf.constant([[0.9], [0.2], [0.3], [-1.0]])
    context = PredictionContext("binary_crossentropy", tf.zeros([4, 1]), outputs, from_logits)
    np.testing.assert_allclose(measure("predicted_share", context), [1 - positive, positive])


def test_too_many_classes_have_no_shares() -> None:
    context = PredictionContext("categorical_crossentropy", tf.zeros([4]), tf.zeros([4, 101]))
    signal = next(s for s in all_signals() if s.spec.name == "predicted_share")
    assert signal.measure(context) is None


@pytest.mark.parametrize("size", [5, 4096, 8192, 8192 + 4096 + 7, LARGE + 1])
@pytest.mark.parametrize("compiled", [False, True])
def test_sums_of_squares_and_products(size: int, compiled: bool) -> None:
    a, b = RANDOM.normal(size=size).astype("f"), RANDOM.normal(size=size).astype("f")

    def sums() -> Any:
        with compiled_by_xla(compiled):
            return squared_norm(tf.constant(a)), inner_product(tf.constant(a), tf.constant(b))

    square, product = tf.function(sums, jit_compile=compiled)()
    a, b = a.astype(np.float64), b.astype(np.float64)
    np.testing.assert_allclose(square, a @ a, rtol=1e-5)
    np.testing.assert_allclose(product, a @ b, rtol=1e-5, atol=1e-4 * np.sqrt(size) + 1e-3)


@pytest.mark.parametrize("compiled", [False, True])
def test_sums_carry_what_is_not_finite(compiled: bool) -> None:
    values = np.ones(3 * 4096, "f")
    values[7], values[4096 + 9] = -INF, -INF

    def product() -> Any:
        with compiled_by_xla(compiled):
            return inner_product(tf.constant(values), tf.ones([values.size]))

    assert tf.function(product, jit_compile=compiled)() == -INF
    values[7] = NAN
    assert np.isnan(tf.function(product, jit_compile=compiled)())


@pytest.mark.parametrize("compiled", [False, True])
def test_squares_of_many_are_those_of_each(compiled: bool) -> None:
    values = [RANDOM.normal(size=size).astype("f") for size in (3, 3 * 4096)]

    def squares() -> Any:
        with compiled_by_xla(compiled):
            return squared_norms(values), tf.stack([squared_norm(value) for value in values])

    together, alone = tf.function(squares, jit_compile=compiled)()
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("compiled", [False, True])
def test_mean_and_deviation_of_each_matrix(compiled: bool) -> None:
    values = (RANDOM.normal(size=(4, 32, 48)) + 3).astype("f")
    values[1, 5, 7], values[2, 0, 0] = NAN, -INF

    def both() -> Any:
        with compiled_by_xla(compiled):
            return mean_of_each(tf.constant(values)), deviation_of_each(tf.constant(values))

    mean, deviation = tf.function(both, jit_compile=compiled)()
    wide = values.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(axis=(1, 2)), rtol=1e-5)
    with np.errstate(invalid="ignore"):  # the deviation of what is not finite is NaN
        np.testing.assert_allclose(deviation, wide.std(axis=(1, 2)), rtol=1e-5)


def test_nonfinite_elements_of_a_large_gradient_are_counted() -> None:
    gradient = np.zeros(LARGE, "f")
    gradient[[3, 5, 7]] = NAN, INF, -INF
    context = GradientContext([tf.constant(gradient), tf.zeros([LARGE])])
    assert measure("gradient_nonfinite", context).tolist() == [3.0, 0.0]


def test_every_signal_describes_itself() -> None:
    for signal in all_signals():
        assert signal.spec.title and signal.spec.description, signal.spec.name
        assert signal.cost in PRESETS["full"]


def test_unknown_preset_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'quick'.*'light', 'standard', 'full'"):
        preset_signals("quick")
