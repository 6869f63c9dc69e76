"""A million steps: what is added up all along does not drift."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import RunningContext, Signal
from tensorboard_gradhealth.training.host.past import join
from tensorboard_gradhealth.training.host.windows import Fold, WindowFolder
from tensorboard_gradhealth.training.looks.cadence import SAMPLE_EVERY, STRETCH
from tensorboard_gradhealth.types import NOT_MEASURED

pytestmark = pytest.mark.slow

STEPS = 1_000_000
LOOKS = STEPS // (SAMPLE_EVERY * STRETCH)
AT_ONCE = 64
"""Steps that a monitor reads together."""


def named(name: str) -> Signal:
    return next(signal for signal in all_signals() if signal.spec.name == name)


def test_windows_tile_a_million_steps_and_keep_mean_and_extremes() -> None:
    random = np.random.default_rng(0)
    folder = WindowFolder(log_every=10, budget=1500)
    windows, total, low, high = [], np.zeros(3), np.full(3, np.inf), np.full(3, -np.inf)
    for first in range(0, STEPS, AT_ONCE):
        rows = random.normal(1e3, 1.0, size=(AT_ONCE, 3)).astype(np.float32)
        rows = rows[: STEPS - first]
        total += rows.sum(axis=0, dtype=np.float64)
        low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
        windows += folder.add(first, rows)
    windows += folder.flush()
    assert windows[0].first_step == 0 and windows[-1].last_step == STEPS - 1
    ends = [window.last_step + 1 for window in windows[:-1]]
    assert ends == [window.first_step for window in windows[1:]]
    assert len(windows) <= 1500
    values = np.stack([window.values for window in windows]).astype(np.float64)
    lengths = np.array([window.last_step - window.first_step + 1 for window in windows])
    mean = (values[:, :, 0] * lengths[:, np.newaxis]).sum(axis=0) / STEPS
    np.testing.assert_allclose(mean, total / STEPS, rtol=1e-7)
    np.testing.assert_array_equal(values[:, :, 1].min(axis=0), low)
    np.testing.assert_array_equal(values[:, :, 2].max(axis=0), high)


def test_one_window_of_a_million_steps_does_not_drift() -> None:
    fold = Fold(2)
    chunk = np.tile(np.array([[0.1, NOT_MEASURED]], np.float32), (AT_ONCE, 1))
    for _ in range(STEPS // AT_ONCE):
        fold.add(chunk)
    mean, low, high = fold.result()[0]
    assert mean == low == high == np.float32(0.1)
    assert (fold.result()[1] == NOT_MEASURED).all()


@pytest.mark.parametrize("mean", [0.0, 1e4], ids=["around zero", "far from zero"])
def test_input_statistics_of_a_million_steps_do_not_drift(mean: float) -> None:
    signal = named("input_features")
    random = np.random.default_rng(0)
    samples = random.normal(mean, 2.0, size=(8, 32, 3)).astype(np.float32)
    batches = [tf.constant(each) for each in samples]
    look = tf.function(lambda x, state: signal.measure(RunningContext(x, state)))
    state = tf.zeros([3, 6])
    for number in range(LOOKS):
        state = look(batches[number % len(batches)], state)
    count, got_mean, std, low, high, bad = np.asarray(state, np.float64).T
    values = samples.astype(np.float64).reshape(-1, 3)
    np.testing.assert_array_equal(count, 32 * LOOKS)
    np.testing.assert_allclose(got_mean, values.mean(axis=0), atol=1e-3 * 2.0 + 1e-6 * mean)
    np.testing.assert_allclose(std, values.std(axis=0), rtol=1e-2)
    np.testing.assert_array_equal(low, values.min(axis=0))
    np.testing.assert_array_equal(high, values.max(axis=0))
    assert not bad.any()


def test_labels_of_a_million_steps_are_all_counted() -> None:
    signal = named("label_counts")
    batch = np.eye(4, dtype=np.float32)[np.array([0, 0, 1, 2] * 256)]
    look = tf.function(lambda state: signal.measure(RunningContext(tf.constant(batch), state)))
    state = tf.zeros([4, 1])
    for _ in range(LOOKS):
        state = look(state)
    expected = batch.sum(axis=0, dtype=np.float64) * LOOKS
    np.testing.assert_allclose(np.asarray(state)[:, 0], expected, rtol=1e-6)


def test_statistics_that_are_resumed_a_thousand_times_do_not_drift() -> None:
    fields = named("input_features").spec.fields
    part = np.array([[320, 5.0, 2.0, -1.0, 11.0, 1]], np.float32)
    joined = part
    for _ in range(999):
        joined = join(joined, part, fields)
    np.testing.assert_allclose(joined, [[320_000, 5.0, 2.0, -1.0, 11.0, 1000]], rtol=1e-5)
