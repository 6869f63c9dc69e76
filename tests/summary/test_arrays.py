"""`gradhealth.summary.*_pb`: the same log as with TensorFlow, from NumPy arrays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth import summary
from tensorboard_gradhealth.types import NOT_MEASURED
from tests.logs import read_run
from tests.summary.logs import last, write

NAN, INF = float("nan"), float("inf")
RANDOM = np.random.default_rng(0)

WEIGHTS = {"a/kernel": RANDOM.normal(size=(4, 3)).astype("f"), "a/bias": np.zeros(3, "f")}
GRADIENTS = {"a/kernel": RANDOM.normal(size=(4, 3)).astype("f"), "a/bias": np.float32([1, NAN, 3])}
UPDATED = {name: WEIGHTS[name] - 0.1 * GRADIENTS[name] for name in WEIGHTS}
BEFORE = {name: RANDOM.normal(scale=3.0, size=(600, 8)).astype("f") for name in ("relu", "tanh")}
BEFORE["relu"][:, 2] = -1
OUTPUTS = {"relu": np.maximum(BEFORE["relu"], 0), "tanh": np.tanh(BEFORE["tanh"])}
SLOPES = {"relu": np.float32(BEFORE["relu"] > 0), "tanh": 1 - OUTPUTS["tanh"] ** 2}
X = {"x": RANDOM.normal(5, 2, size=(50, 3)).astype("f"), "z": np.float32([[1, INF], [2, NAN]])}


def log_tensors() -> None:
    """Logs all of the above with TensorFlow, at the default step."""
    variables = [tf.Variable(value, name=name) for name, value in UPDATED.items()]
    summary.gradients([tf.constant(g) for g in GRADIENTS.values()], variables)
    summary.updates(variables, before=[tf.constant(w) for w in WEIGHTS.values()])
    functions = {"relu": tf.nn.relu, "tanh": tf.tanh}
    summary.activations(OUTPUTS, inputs=BEFORE, functions=functions)
    summary.inputs(X)
    summary.training(loss=0.25, learning_rate=0.01)


def log_arrays(log_dir: Path) -> None:
    """Logs the same with NumPy."""
    summaries = [
        summary.layout_pb(
            variables=WEIGHTS,
            activations=OUTPUTS,
            functions={"relu": "relu", "tanh": "tanh"},
            inputs=X,
            facts={"optimizer": "SGD"},
        ),
        summary.gradients_pb(GRADIENTS),
        summary.updates_pb(UPDATED, before=WEIGHTS),
        summary.activations_pb(OUTPUTS, inputs=BEFORE, slopes=SLOPES),
        summary.inputs_pb(X),
        summary.training_pb(loss=0.25, learning_rate=0.01),
    ]
    write(log_dir, [(0, summaries)])


def test_the_log_is_the_one_that_tensorflow_writes(tmp_path: Path) -> None:
    with tf.summary.create_file_writer(str(tmp_path / "tensors")).as_default(step=0):
        log_tensors()
    log_arrays(tmp_path / "arrays")
    tensors, arrays = last(tmp_path / "tensors"), last(tmp_path / "arrays")
    assert sorted(arrays) == sorted(tensors)
    for name, values in tensors.items():
        np.testing.assert_allclose(arrays[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    expected = read_run(tmp_path / "tensors").info()
    info = read_run(tmp_path / "arrays").info()
    assert info.rows == expected.rows
    assert info.facts == {"optimizer": "SGD"}
    assert info.signals.items() <= expected.signals.items()


def test_changes_are_as_good_as_the_values_before() -> None:
    changes = {name: UPDATED[name] - WEIGHTS[name] for name in WEIGHTS}
    one = summary.updates_pb({"w": np.float32([3.0, 4.5])}, before={"w": np.float32([3, 4])})
    two = summary.updates_pb({"w": np.float32([3.0, 4.5])}, changes={"w": np.float32([0, 0.5])})
    assert one == two
    assert summary.updates_pb(UPDATED, changes=changes).value


def test_a_variable_without_gradient_is_not_measured(tmp_path: Path) -> None:
    pb = summary.gradients_pb({"a": None, "b": np.float32([3, 4])})
    layout = summary.layout_pb(variables={"a": [1.0], "b": [1.0, 2.0]})
    write(tmp_path, [(0, [layout, pb])])
    assert last(tmp_path)["gradient_norm"].tolist() == [NOT_MEASURED, 5.0]


def test_units_are_dead_once_small_batches_add_up_to_512_samples(tmp_path: Path) -> None:
    outputs = {"hidden": np.ones((256, 4), np.float32)}
    outputs["hidden"][:, 0] = 0
    memory: dict[str, np.ndarray] = {}
    layout = summary.layout_pb(activations=outputs)
    steps = [(i, [summary.activations_pb(outputs, memory=memory)]) for i in range(2)]
    forgetful = (2, [summary.activations_pb(outputs)])
    write(tmp_path, [(0, [layout]), *steps, forgetful])
    dead = read_run(tmp_path).series("dead_fraction").values[:, 0, 0]
    assert dead.tolist() == [0.0, 0.25, NOT_MEASURED]


def test_input_statistics_go_on_where_there_is_a_memory(tmp_path: Path) -> None:
    samples = RANDOM.normal(1e3, 2.0, (300, 2))
    memory: dict[str, np.ndarray] = {}
    batches = [summary.inputs_pb(batch, memory=memory) for batch in np.split(samples, [100, 101])]
    alone = summary.inputs_pb(samples[:10])
    steps = [(i, [pb]) for i, pb in enumerate([*batches, alone])]
    write(tmp_path, [(0, [summary.layout_pb(inputs=samples)]), *steps])
    values = read_run(tmp_path).series("input_features").values
    assert values[:, 0, 0].tolist() == [100, 101, 300, 10]
    np.testing.assert_allclose(values[2, :, 1], samples.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(values[2, :, 2], samples.std(axis=0), rtol=1e-5)


def test_arrays_of_other_libraries_are_accepted() -> None:
    class Tensor:
        """Converts itself to NumPy, as those of PyTorch and JAX do."""

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.float32([3, 4])

    bfloat16 = tf.constant([3, 4], tf.bfloat16).numpy()
    assert summary.gradients_pb({"w": Tensor()}) == summary.gradients_pb({"w": bfloat16})


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no gradient": (lambda: summary.gradients_pb({}), "no gradient but None"),
    "an integer gradient": (
        lambda: summary.gradients_pb({"w": np.array([1, 2])}),
        r"gradients_pb got gradients of 'w' as int64 \[2\]",
    ),
    "updates of nothing": (lambda: summary.updates_pb(WEIGHTS), "exactly one of before, changes"),
    "updates of other names": (
        lambda: summary.updates_pb(WEIGHTS, before={"a/kernel": WEIGHTS["a/kernel"]}),
        r"before of \['a/kernel'\] and variables \['a/kernel', 'a/bias'\]",
    ),
    "updates of another shape": (
        lambda: summary.updates_pb({"w": np.ones(2)}, changes={"w": np.ones(3)}),
        r"changes of 'w' as float64 \[3\], and the variable is float64 \[2\]",
    ),
    "no activation": (lambda: summary.activations_pb({}), "no activation"),
    "an activation without units": (
        lambda: summary.activations_pb({"hidden": np.ones(3)}),
        r"'hidden' as float64 \[3\].*floats \[batch, \.\.\., units\]",
    ),
    "slopes of an unknown activation": (
        lambda: summary.activations_pb({"a": np.ones((1, 1))}, slopes={"b": np.ones((1, 1))}),
        r"slopes for \['b'\].*\['a'\]",
    ),
    "integer inputs": (lambda: summary.inputs_pb([[1]]), r"'x' as int64 \[1, 1\]"),
    "no numbers": (lambda: summary.training_pb(), "give loss= or learning_rate="),
    "a loss per sample": (lambda: summary.training_pb(loss=np.ones(3)), r"float64 \[3\]"),
    "a function of no activation": (
        lambda: summary.layout_pb(activations={"a": np.ones((1, 1))}, functions={"b": "relu"}),
        r"functions for \['b'\]",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_words_that_help(case: str) -> None:
    call, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_no_call_imports_tensorflow() -> None:
    code = (
        "import sys, numpy as np\n"
        "from tensorboard_gradhealth import summary as s\n"
        "w = {'w': np.ones((3, 2))}\n"
        "s.layout_pb(variables=w, activations=w, inputs=w)\n"
        "s.gradients_pb(w), s.updates_pb(w, before=w), s.activations_pb(w), s.inputs_pb(w)\n"
        "s.training_pb(loss=1.0)\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
