"""The signals once more, slow and obvious, in NumPy and float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def gradient_norm(gradient: Array) -> float:
    return float(np.sqrt(sum(float(g) ** 2 for g in gradient.ravel())))


def update_ratio(before: Array, after: Array) -> float:
    return gradient_norm(after - before) / gradient_norm(before)


def weight_rms(weight: Array) -> float:
    return gradient_norm(weight) / np.sqrt(weight.size)


def zero_fraction(outputs: Array) -> float:
    return sum(1 for value in outputs.ravel() if value == 0) / outputs.size


def activation_gain(inputs: Array, outputs: Array) -> float:
    return float(np.std(outputs) / np.std(inputs))


def activation_slope(slopes: Array) -> float:
    return float(np.sqrt(np.mean(slopes**2)))


def saturated_fraction(outputs: Array, slopes: Array, steepest: float) -> float:
    pairs = zip(outputs.ravel(), slopes.ravel(), strict=True)
    return sum(1 for y, s in pairs if y != 0 and abs(s) < 0.01 * steepest) / outputs.size


def feature_statistics(samples: Array) -> Array:
    """Returns `[features, 6]`: count, mean, std, min, max, non-finite."""
    rows = []
    for column in samples.T:
        finite = column[np.isfinite(column)]
        rows.append(
            [
                len(finite),
                finite.mean(),
                finite.std(),
                finite.min(),
                finite.max(),
                len(column) - len(finite),
            ]
        )
    return np.array(rows)
