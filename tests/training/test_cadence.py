"""When training is looked at from beside: never often enough to be felt."""

from __future__ import annotations

import numpy as np
import pytest

from tensorboard_gradhealth.training.host.windows import DENSE_STEPS
from tensorboard_gradhealth.training.looks.cadence import (
    FIRST_STEPS,
    SampleCadence,
    ShareCadence,
    StepCadence,
)


@pytest.mark.parametrize(
    ("start", "at_once", "expected"),
    [
        (0, 1, [*FIRST_STEPS, 150]),
        (0, 32, [32, 64, 192]),  # several steps in one execution
        (300, 1, [400, 500]),  # another fit goes on counting
    ],
)
def test_steps_that_are_looked_at(start: int, at_once: int, expected: list[int]) -> None:
    cadence = StepCadence(start)
    looked = []
    for step in range(start, start + 201, at_once):
        if cadence.due(step):
            looked.append(step)
            cadence.looked(step, 1.0)
    assert looked == expected


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_looks_take_their_share_of_the_time_and_no_more(share: float) -> None:
    cadence, step_time, look_time = ShareCadence(share, 20), 0.01, 0.3
    looks, training = [], 0.0
    for step in range(20_000):
        if cadence.due(step):
            looks.append(step)
            cadence.looked(step, look_time if looks[1:] else 10.0)  # the first one traces
        cadence.trained(step_time)
        training += step_time
    assert looks[:2] == [20, 40]
    assert look_time * len(looks[1:]) / training == pytest.approx(share, rel=0.1)


def test_the_longer_a_run_the_fewer_of_its_steps_are_measured_in_full() -> None:
    cadence, measured = SampleCadence(0), []
    for step in range(20_000):
        if cadence.due(step):
            measured.append(step)
            cadence.measured(step)
    intervals = dict(zip(measured, np.diff(measured), strict=False))
    assert measured[: DENSE_STEPS + 1] == [*range(DENSE_STEPS), DENSE_STEPS + 9]
    assert all(interval == 10 for step, interval in intervals.items() if 60 <= step < 100)
    assert all(interval <= step / 10 for step, interval in intervals.items() if step > 100)
    assert all(interval == 50 for step, interval in intervals.items() if step > 500)
