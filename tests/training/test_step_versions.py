"""In a loop, what is costly is measured at one step in ten, once the first steps are over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.logs import read_run
from tests.training import loops

STEPS = 64
SAMPLED = [*range(51), 60]
"""The steps that are measured in full."""


def steps_measured(log_dir: Path, loop: loops.Loop, step: Callable[..., Any]) -> dict[str, Any]:
    """Trains, and returns at which steps each signal of the step was measured."""
    with gradhealth.HealthMonitor(
        log_dir, model=loop.model, optimizer=loop.optimizer, log_every=1, verbose=0
    ) as monitor:
        for x, y in loops.batches(STEPS):
            monitor.step(step, x, y)
    found: dict[str, Any] = {}
    for record in read_run(log_dir).records():
        for name in ("gradient_norm", "loss", "update_ratio", "weight_rms", "zero_fraction"):
            if name in record.signals and (record.signals[name][:, 0] != NOT_MEASURED).any():
                found.setdefault(name, []).append(record.step)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", loops.MODES)
def test_costly_signals_are_measured_as_often_as_the_callback_does(
    mode: str, tmp_path: Path
) -> None:
    loop = loops.Loop("residual", mode)
    found = steps_measured(tmp_path, loop, loop.step)
    assert found["gradient_norm"] == found["loss"] == list(range(STEPS))
    assert found["weight_rms"] == found["zero_fraction"] == SAMPLED
    assert set(found["update_ratio"]) == set(SAMPLED)


@pytest.mark.slow
def test_a_function_inside_of_a_plain_step_is_traced_once_and_measured_at_every_step(
    tmp_path: Path,
) -> None:
    loop = loops.Loop("residual", "graph")
    found = steps_measured(tmp_path, loop, lambda x, y: loop.step(x, y))
    assert found["zero_fraction"] == list(range(STEPS))
    assert loop.step.experimental_get_tracing_count() <= 2  # the optimizer makes its variables


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["random", "generator"])
def test_random_numbers_are_those_of_one_trace(draw: str, tmp_path: Path) -> None:
    def drawn(observed: bool) -> list[float]:
        tf.random.set_seed(3)
        variable, optimizer = tf.Variable([1.0], name="w"), loops.Loop("mlp", "eager").optimizer
        generator = tf.random.Generator.from_seed(1)
        draws = {"random": tf.random.normal, "generator": generator.normal}

        @tf.function
        def step() -> tf.Tensor:
            optimizer.apply([draws[draw]([1])], [variable])
            return variable[0] + 0.0

        if not observed:
            return [float(step()) for _ in range(STEPS)]
        with gradhealth.HealthMonitor(
            tmp_path, variables=[variable], optimizer=optimizer, verbose=0
        ) as monitor:
            return [float(monitor.step(step)) for _ in range(STEPS)]

    assert drawn(observed=True) == drawn(observed=False)
