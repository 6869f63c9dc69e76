"""The scale of every input feature, over all samples looked at so far.

Means and deviations of successive batches are merged pairwise (Chan, Golub and LeVeque 1983),
which stays exact where a sum of squares would cancel: for large means with small spread.
"""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._base import Array, RunningContext, Signal, Tensor
from tensorboard_gradhealth.types import SignalSpec


def measure(context: RunningContext) -> Tensor:
    count, mean, std, low, high, bad = tf.unstack(context.before, axis=1)
    finite = tf.math.is_finite(context.samples)
    samples = tf.where(finite, context.samples, 0.0)
    weights = tf.cast(finite, tf.float32)
    added = tf.reduce_sum(weights, axis=0)
    total = count + added
    added_mean = tf.math.divide_no_nan(tf.reduce_sum(samples, axis=0), added)
    squares = tf.reduce_sum(weights * tf.square(samples - added_mean), axis=0)
    shift = added_mean - mean
    squares += tf.square(std) * count
    squares += tf.square(shift) * tf.math.divide_no_nan(count * added, total)
    new_low = tf.reduce_min(tf.where(finite, samples, samples.dtype.max), axis=0)
    new_high = tf.reduce_max(tf.where(finite, samples, samples.dtype.min), axis=0)
    fields = [
        total,
        mean + shift * tf.math.divide_no_nan(added, total),
        tf.sqrt(tf.math.divide_no_nan(squares, total)),
        tf.where(count > 0, tf.minimum(low, new_low), new_low),
        tf.where(count > 0, tf.maximum(high, new_high), new_high),
        bad + tf.reduce_sum(1.0 - weights, axis=0),
    ]
    return tf.stack(fields, axis=1)


def measure_numpy(context: RunningContext) -> Array:
    count, mean, std, low, high, bad = context.before.T
    finite = np.isfinite(context.samples)
    samples = np.where(finite, context.samples, 0.0)
    added = finite.sum(axis=0)
    total = np.maximum(count + added, 1.0)
    added_mean = samples.sum(axis=0) / np.maximum(added, 1.0)
    squares = np.sum(finite * np.square(samples - added_mean), axis=0) + np.square(std) * count
    shift = added_mean - mean
    squares += np.square(shift) * count * added / total
    largest = np.finfo(np.float32).max
    new_low = np.where(finite, context.samples, largest).min(axis=0)
    new_high = np.where(finite, context.samples, -largest).max(axis=0)
    fields = [
        count + added,
        mean + shift * added / total,
        np.sqrt(squares / total),
        np.where(count > 0, np.minimum(low, new_low), new_low),
        np.where(count > 0, np.maximum(high, new_high), new_high),
        bad + np.sum(~finite, axis=0),
    ]
    return np.stack(fields, axis=1)


SPEC = SignalSpec(
    name="input_features",
    title="Input features",
    unit="",
    axis="feature",
    fields=("count", "mean", "std", "min", "max", "nonfinite"),
    description="Count, mean, standard deviation and range of the finite values of each input "
    "feature (channel, for images) so far, and how many values were NaN or infinite.",
)
SIGNAL = Signal(
    SPEC, phase="feature", cost="standard", measure=measure, measure_numpy=measure_numpy
)
