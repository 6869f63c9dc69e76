"""Training on several replicas is recorded once, and as on one device with the whole batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.training import distribution

pytestmark = pytest.mark.slow

Run = dict[str, Any]

OF_THE_WHOLE_STEP = (
    "gradient_norm",
    "gradient_global_norm",
    "update_ratio",
    "weight_rms",
    "learning_rate",
    "loss",
)


def start(program: str, *arguments: str, environment: dict[str, str] | None = None) -> Any:
    command = [sys.executable, "-m", f"tests.training.everywhere.{program}", *arguments]
    variables = {**os.environ, **(environment or {})}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=variables, text=True, **pipes)


def result(process: Any) -> Any:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out)


@pytest.fixture(scope="module")
def fits() -> dict[str, Run]:
    fits: dict[str, Run] = result(start("mirrored"))
    return fits


@pytest.fixture(scope="module")
def one_device_loop() -> Run:
    loop: Run = result(start("custom_loop", "one"))
    return loop


def assert_same(one: Run, other: Run) -> None:
    for signal in OF_THE_WHOLE_STEP:
        assert np.size(other[signal]) > 0
        np.testing.assert_allclose(other[signal], one[signal], rtol=1e-5, err_msg=signal)


def test_a_fit_on_two_replicas_is_recorded_as_on_one_device(fits: dict[str, Run]) -> None:
    assert_same(fits["one"], fits["two"])
    assert fits["two"]["activations"] == fits["one"]["activations"]
    assert fits["one"]["not_measured"] == {}


def test_the_observer_does_not_change_the_weights_of_any_replica(fits: dict[str, Run]) -> None:
    assert fits["two"]["weights"] == fits["two unobserved"]["weights"]


def test_what_only_the_first_replica_shows_is_said(fits: dict[str, Run]) -> None:
    [(what, reason)] = fits["two"]["not_measured"].items()
    assert "activations" in what and "first of 2 replicas" in reason


def test_gradients_that_are_clipped_before_they_are_added_up_are_not_measured(
    fits: dict[str, Run],
) -> None:
    clipping = fits["two clipping"]
    assert "each replica clips" in clipping["not_measured"]["gradient_norm"]
    assert not {"gradient_norm", "gradient_global_norm"} & clipping.keys()
    assert np.min(clipping["update_ratio"][-1]) > 0


def test_a_scaled_loss_on_two_replicas_is_recorded_as_on_one_device(fits: dict[str, Run]) -> None:
    assert_same(fits["one scaling"], fits["two scaling"])
    assert fits["two scaling"]["skipped_steps"] == fits["one scaling"]["skipped_steps"]


def test_a_loop_over_two_replicas_is_recorded_as_on_one_device(one_device_loop: Run) -> None:
    loop = result(start("custom_loop", "mirrored"))
    assert_same(one_device_loop["signals"], loop["signals"])
    assert loop["reports"] == {}


def test_of_two_workers_only_the_chief_records_gradients(one_device_loop: Run) -> None:
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    configurations = [
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": i}} for i in range(2)
    ]
    processes = [
        start("custom_loop", "workers", environment={"TF_CONFIG": json.dumps(configuration)})
        for configuration in configurations
    ]
    chief, other = (result(process) for process in processes)
    assert_same(one_device_loop["signals"], chief["signals"])
    assert chief["chief"] and not other["chief"]
    assert not {"gradient_norm", "update_ratio"} & other["signals"].keys()
    assert chief["reports"] == other["reports"] == {}
    assert chief["weights"] == other["weights"]
    [reason] = chief["unseen by fit"].values()
    assert "keras-team/keras#20585" in reason


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_other_strategies_are_said_not_to_be_supported() -> None:
    class PodStrategy:
        num_replicas_in_sync = 8

    [(what, reason)] = distribution.unseen(PodStrategy()).items()
    assert "PodStrategy" in what and "MirroredStrategy" in reason


def test_one_device_leaves_nothing_unseen() -> None:
    assert distribution.unseen(tf.distribute.get_strategy()) == {}
