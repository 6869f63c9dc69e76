"""Training on several replicas is recorded once, and as on one device with the whole batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.signals import named_signals
from tensorboard_gradhealth.training.device.recorder import Slot
from tensorboard_gradhealth.training.hooks.replica import merged_rows
from tensorboard_gradhealth.training.model import distribution
from tensorboard_gradhealth.types import NOT_MEASURED

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
def one_device_loop(tmp_path_factory: pytest.TempPathFactory) -> Run:
    loop: Run = result(start("custom_loop", "one", str(tmp_path_factory.mktemp("one"))))
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


def test_activations_inputs_and_labels_are_of_all_replicas(fits: dict[str, Run]) -> None:
    one, two = fits["one"], fits["two"]
    assert two["not_measured"] == {"step_overshoot": "the batch is spread over replicas"}
    assert_parts_merged(one, two)
    assert two["label_counts"] == one["label_counts"]
    np.testing.assert_allclose(two["predicted_share"], one["predicted_share"], atol=1e-6)


def assert_parts_merged(one: Run, two: Run) -> None:
    """Batches of 16 are looked at in full, on one device and in two halves."""
    np.testing.assert_allclose(two["input_features"], one["input_features"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(two["zero_fraction"], one["zero_fraction"], atol=1e-6)
    for signal in ("activation_gain", "activation_slope"):  # roots of means, not means
        np.testing.assert_allclose(two[signal], one[signal], rtol=0.1, err_msg=signal)


def test_curvature_on_two_replicas_is_that_of_one_device(fits: dict[str, Run]) -> None:
    one, two = fits["one curvature"], fits["two curvature"]
    assert two["not_measured"].keys() == {"step_overshoot", "gradient noise"}
    for signal in ("hessian_top_eigenvalue", "preconditioned_sharpness", "stability_margin"):
        np.testing.assert_allclose(two[signal][0], one[signal][0], rtol=1e-2, err_msg=signal)
    assert two["weights"] == fits["two curvature unobserved"]["weights"]


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


def test_a_loop_over_two_replicas_is_recorded_as_on_one_device(
    one_device_loop: Run, tmp_path: Path
) -> None:
    loop, unobserved = (
        result(start("custom_loop", "mirrored", *log_dir)) for log_dir in ([str(tmp_path)], [])
    )
    assert_same(one_device_loop["signals"], loop["signals"])
    assert_parts_merged(one_device_loop["signals"], loop["signals"])
    assert loop["reports"].keys() == one_device_loop["reports"].keys()
    assert loop["weights"] == unobserved["weights"]


def test_of_two_workers_only_the_chief_writes(one_device_loop: Run, tmp_path: Path) -> None:
    chief, other = workers(str(tmp_path))
    assert_same(one_device_loop["signals"], chief["signals"])
    assert chief["logs"] == 1
    assert "signals" not in other
    assert chief["weights"] == other["weights"] == workers()[0]["weights"]
    [reason] = chief["unseen by fit"].values()
    assert "keras-team/keras#20585" in reason


def workers(*log_dir: str) -> list[Run]:
    """Trains with two processes, which are given the same log directory."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    tasks = [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        for index in range(2)
    ]
    processes = [
        start("custom_loop", "workers", *log_dir, environment={"TF_CONFIG": json.dumps(task)})
        for task in tasks
    ]
    return [result(process) for process in processes]


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


def test_parts_are_merged_as_each_signal_asks_for() -> None:
    names = ("activation_gain", "activation_nonfinite", "dead_fraction")
    signals = named_signals(names)
    slots = [Slot(name, ("a", "b"), 2 * i) for i, name in enumerate(names)]
    rows = np.array([[0.2, NOT_MEASURED, 1, 2, 0.5, 0.25]], np.float32)
    theirs = np.array([[0.4, 0.7, 3, NOT_MEASURED, 0.25, 0.75]], np.float32)

    ring = SimpleNamespace(
        slots={(slot.signal, slot.rows): slot for slot in slots}, read=lambda: (0, theirs)
    )
    others: Any = [SimpleNamespace(recorder=ring)]
    merged = merged_rows(rows, slots, others, signals)
    np.testing.assert_allclose(merged, [[0.3, 0.7, 4, 2, 0.25, 0.25]], rtol=1e-6)
