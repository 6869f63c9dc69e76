"""The description of weights before the first step."""

from __future__ import annotations

import numpy as np
import pytest

from tensorboard_gradhealth.signals.initial_weights import SPEC, measure


def _described(weights: object) -> dict[str, float]:
    return dict(zip(SPEC.fields, measure(weights).tolist(), strict=True))


def test_weights_are_described_by_their_moments_and_range() -> None:
    assert _described([[1.0, 3.0], [0.0, 0.0]]) == {
        "mean": 1.0,
        "std": pytest.approx(np.sqrt(1.5)),
        "min": 0.0,
        "max": 3.0,
        "zero_fraction": 0.5,
    }


def test_equal_weights_have_no_spread_whatever_their_precision() -> None:
    assert _described(np.full(1000, 0.1, np.float16))["std"] <= 1e-6


def test_what_is_not_finite_is_carried_on() -> None:
    found = _described([1.0, np.nan, np.inf])
    assert all(np.isnan(found[name]) for name in ("mean", "std", "min", "max"))
    assert found["zero_fraction"] == 0


def test_a_variable_without_elements_is_described_by_zeros() -> None:
    assert set(_described(np.empty((0, 4))).values()) == {0.0}
