"""Sharpness in training, against what theory says of full-batch training."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.edge_of_stability import train


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gradient descent, η = 0.6", "Adam, η = 0.002"])
def test_sharpness_rises_to_the_limit_of_the_optimizer_and_stays_there(name: str) -> None:
    training = train(name, last=1200)

    margins = np.array(training.sharpness) / training.limit.value

    assert margins[0] < 0.8
    assert np.median(margins[-10:]) == pytest.approx(1.0, abs=0.06)
    assert margins.max() < 1.2
