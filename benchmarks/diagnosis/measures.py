"""The numbers in which the published rules speak, of one array each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.diagnosis.data import Array, Data

VARIABLE = (
    "gradient_mean",
    "gradient_norm",
    "gradient_max",
    "gradient_zeros",
    "gradient_range",
    "gradient_nonfinite",
    "weight_norm",
    "weight_variance",
    "weight_mean",
    "weight_max",
    "weight_nonfinite",
    "weight_change",
    "update_ratio",
)
"""Of each kernel: mean |g|, |g| as a norm, largest |g|, share of zeros, p95 - p5, elements that
are not finite; norm, variance, mean |w|, largest |w|, elements that are not finite, largest
relative change of a weight since the record before; norm of one step's change / norm."""

ACTIVATION = (
    "nonfinite",
    "not_positive",
    "rarely_active",
    "silent",
    "at_end",
    "beyond_five",
    "crowded",
    "deviation",
)
"""Of each hidden activation's output h: elements that are not finite; share of h <= 0; share of
units with h > 0 on under 1 % of the samples; share of units whose 95th percentile of |h| is under
1e-5; share of units whose input almost always is where the slope is under 1e-7; share of h whose
input is beyond 5; share of bounded units that crowd at their ends; deviation of h."""

_FIVE = {"tanh": (-0.99990920, 0.99990920), "sigmoid": (0.0066929, 0.9933071)}
_NUMERIC_END = {"tanh": (-1 + 1e-7, 1 - 1e-7), "sigmoid": (1e-10, 1 - 1e-7)}
_RANGE = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
_BINS = 50
_CROWDED = 0.85


def variable_row(gradient: Array, before: Array, after: Array, seen: Array) -> list[float]:
    """Returns `VARIABLE` of a kernel before and after a step; `seen` is that of the last record."""
    with np.errstate(all="ignore"):
        size = np.abs(gradient)
        weight_norm = np.linalg.norm(before)
        return [
            float(size.mean()),
            float(np.linalg.norm(gradient)),
            float(size.max()),
            float((size == 0).mean()),
            float(np.subtract(*np.nanpercentile(gradient, (95, 5)))),
            float((~np.isfinite(gradient)).sum()),
            float(weight_norm),
            float(before.var()),
            float(np.abs(before).mean()),
            float(np.abs(before).max()),
            float((~np.isfinite(before)).sum()),
            float((np.abs(before - seen) / (np.abs(seen) + 1e-12)).max()),
            float(np.linalg.norm(after - before) / weight_norm),
        ]


def activation_row(outputs: Array, function: str) -> list[float]:
    """Returns `ACTIVATION` of outputs `[batch, ..., units]`."""
    units = outputs.astype("float32").reshape(-1, outputs.shape[-1])
    at_end = _outside(units, _NUMERIC_END.get(function)).mean(axis=0) > 0.99
    with np.errstate(all="ignore"):
        return [
            float((~np.isfinite(units)).sum()),
            float((units <= 0).mean()),
            float(((units > 0).mean(axis=0) < 0.01).mean()),
            float((np.nanpercentile(np.abs(units), 95, axis=0) < 1e-5).mean()),
            float(at_end.mean()),
            float(_outside(units, _FIVE.get(function)).mean()),
            float(np.mean([_crowding(unit, function) > _CROWDED for unit in units.T])),
            float(units.std()),
        ]


def _outside(units: Array, ends: tuple[float, float] | None) -> Array:
    if ends is None:
        return np.zeros(units.shape, bool)
    return (units <= ends[0]) | (units >= ends[1])


def _crowding(unit: Array, function: str) -> float:
    """Returns rho_B of Rakitianskaia and Engelbrecht (2015): 1 if all outputs are at the ends."""
    if function not in _RANGE:
        return 0.0
    low, high = _RANGE[function]
    scaled = 2 * (unit - low) / (high - low) - 1
    bins = np.clip(((scaled + 1) / 2 * _BINS).astype(int), 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    sums = np.bincount(bins, weights=scaled, minlength=_BINS)
    return float(np.abs(sums).sum() / max(counts.sum(), 1))


def data_facts(data: Data, task: str) -> dict[str, Any]:
    """Returns what the published rules ask of inputs and labels."""
    features = data.x.reshape(-1, data.x.shape[-1]).astype("float64")
    finite = features[np.isfinite(features)]
    deviation = np.nan_to_num(features).std(axis=0)
    counts = np.unique(data.y, return_counts=True)[1] if task in ("classes", "binary") else [1]
    shares = np.array(counts) / np.sum(counts)
    tokens = data.x.dtype.kind == "i"
    return {
        "input_nonfinite": int(features.size - finite.size),
        "input_low": 0.0 if tokens else float(finite.min()),
        "input_high": 0.0 if tokens else float(finite.max()),
        "input_mean": 0.0 if tokens else float(finite.mean()),
        "input_standardised": bool(
            np.abs(features.mean(axis=0)).max() < 0.1 and np.abs(deviation - 1).max() < 0.1
        ),
        "input_constant": bool(not tokens and (deviation == 0).any()),
        "samples": len(data.x),
        "label_ratio": float(np.max(counts) / np.min(counts)),
        "label_top_share": float(shares.max()),
        "classes": len(shares),
        "label_perplexity": float(np.exp(-(shares * np.log(shares)).sum()) / len(shares)),
        "target_low": float(data.y.min()),
        "target_high": float(data.y.max()),
        "target_shape": list(data.y.shape[1:]),
        "input_shape": list(data.x.shape[1:]),
    }
