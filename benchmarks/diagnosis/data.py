"""The data that the suite trains on: scanned digits, and tables, series and tokens made up by seed.

Every kind of input serves every kind of task, so that architecture and task can be combined.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

Array = np.ndarray[Any, Any]

TASKS = ("classes", "binary", "labels", "values", "copy")
"""One of several classes; one of two; any of several labels; real numbers; the input itself."""

VALIDATION = 200
LENGTH = 24
"""Steps of a series."""
VOCABULARY = 40
KEYS = 4
"""Tokens below this number decide about the targets; the others are noise."""


@dataclasses.dataclass(frozen=True)
class Data:
    """Inputs and targets, `[samples, ...]` each, to train on and to validate with."""

    x: Array
    y: Array
    x_val: Array
    y_val: Array

    def each_x(self, change: Callable[[Array], Array]) -> Data:
        """The same data with all inputs changed."""
        return dataclasses.replace(self, x=change(self.x), x_val=change(self.x_val))

    def each_y(self, change: Callable[[Array], Array]) -> Data:
        """The same data with all targets changed."""
        return dataclasses.replace(self, y=change(self.y), y_val=change(self.y_val))

    def keep(self, which: Callable[[Array], Array]) -> Data:
        """Those samples whose targets `[samples, ...]` are kept: `which` gives bool `[samples]`."""
        keep, keep_val = which(self.y), which(self.y_val)
        return Data(self.x[keep], self.y[keep], self.x_val[keep_val], self.y_val[keep_val])


def load(kind: str, task: str, samples: int, seed: int) -> Data:
    """Makes `samples` samples to train on, and `VALIDATION` to validate with.

    Args:
      kind: `images`, `flat` (the same images as vectors), `table`, `series` or `tokens`.
      task: One of `TASKS`.
      samples: To train on; of the digits there are no more than about 1,500.
      seed: Of what is made up, and of the order.
    """
    x, y = _SOURCES[kind](task, samples + VALIDATION, np.random.default_rng(seed))
    return Data(x[:-VALIDATION], y[:-VALIDATION], x[-VALIDATION:], y[-VALIDATION:])


def _standardised(values: Array) -> Array:
    scaled: Array = (values - values.mean(axis=0)) / values.std(axis=0)
    return scaled.astype("float32")


def _images(task: str, count: int, random: np.random.Generator) -> tuple[Array, Array]:
    pixels, digits = load_digits(return_X_y=True)
    chosen = random.permutation(len(digits))[:count]
    x = (pixels[chosen].reshape(-1, 8, 8, 1) / 16).astype("float32")
    digit = digits[chosen]
    looped = np.isin(digit, (0, 6, 8, 9))
    weight = x[..., 0].sum(axis=(1, 2))
    row, column = (np.tensordot(x[..., 0], grid, 2) / weight for grid in np.mgrid[:8, :8])
    targets = {
        "classes": digit,
        "binary": looped[:, None].astype("float32"),
        "labels": np.stack([looped, digit % 2 == 0, digit > 4], axis=1).astype("float32"),
        "values": _standardised(np.stack([weight, row, column], axis=1)),
        "copy": x,
    }
    return x, targets[task]


def _flat(task: str, count: int, random: np.random.Generator) -> tuple[Array, Array]:
    x, y = _images(task, count, random)
    x = x.reshape(len(x), -1)
    return x, x if task == "copy" else y


def _table(task: str, count: int, random: np.random.Generator) -> tuple[Array, Array]:
    x = random.normal(size=(count, 12)).astype("float32")
    scores = np.tanh(x @ random.normal(size=(12, 8))) @ random.normal(size=(8, 5))
    targets = {
        "classes": scores.argmax(axis=1),
        "binary": (scores[:, :1] > 0).astype("float32"),
        "labels": (scores[:, :3] > 0).astype("float32"),
        "values": _standardised(scores[:, :2]),
        "copy": x,
    }
    return x, targets[task]


def _series(task: str, count: int, random: np.random.Generator) -> tuple[Array, Array]:
    period = random.choice([4.0, 6.0, 9.0, 14.0], count)
    height = random.uniform(0.5, 1.5, count)
    slope = random.uniform(-1, 1, count)
    phase = random.uniform(0, 2 * np.pi, (count, 1))
    time = np.arange(LENGTH)
    angle = 2 * np.pi * time / period[:, None] + phase
    wave = height[:, None] * np.sin(angle) + 0.1 * random.normal(size=angle.shape)
    trend = slope[:, None] * time / LENGTH + 0.1 * random.normal(size=angle.shape)
    kind = np.searchsorted([4.0, 6.0, 9.0, 14.0], period)
    targets = {
        "classes": kind,
        "binary": (kind[:, None] > 1).astype("float32"),
        "labels": np.stack([kind > 1, slope > 0, height > 1], axis=1).astype("float32"),
        "values": _standardised(np.stack([height, slope], axis=1)),
    }
    return np.stack([wave, trend], axis=2).astype("float32"), targets[task]


def _tokens(task: str, count: int, random: np.random.Generator) -> tuple[Array, Array]:
    x = random.integers(KEYS, VOCABULARY, (count, LENGTH))
    key = random.integers(0, KEYS, count)
    often = random.integers(1, 7, count)
    for row, token, times in zip(x, key, often, strict=True):
        row[random.permutation(LENGTH)[:times]] = token
    targets = {
        "classes": key,
        "binary": (key[:, None] > 1).astype("float32"),
        "labels": np.stack([key > 1, key % 2 == 0, often > 3], axis=1).astype("float32"),
        "values": _standardised(np.stack([key, often], axis=1).astype("float32")),
    }
    return x.astype("int32"), targets[task]


_SOURCES: dict[str, Callable[[str, int, np.random.Generator], tuple[Array, Array]]] = {
    "images": _images,
    "flat": _flat,
    "table": _table,
    "series": _series,
    "tokens": _tokens,
}
