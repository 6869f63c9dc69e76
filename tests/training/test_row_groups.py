"""`group_by`: one row of many variables, with the numbers that all of them together would have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.training.device.recorder import Slot
from tensorboard_gradhealth.training.host.row_groups import RowGroups
from tensorboard_gradhealth.types import NOT_MEASURED, Axis, Row
from tests.logs import read_run
from tests.training import loops, models
from tests.training.everywhere import by_hand

Array = npt.NDArray[np.float32]

layers = keras.layers

ROWS = (
    Row("a/one/kernel", "a/one", "kernel", 6),
    Row("a/one/bias", "a/one", "bias", 3),
    Row("a/two/kernel", "a/two", "kernel", 2),
    Row("b/kernel", "b", "kernel", 4),
)


def named(*rows: Row) -> dict[str, Row]:
    return {row.name: row for row in rows}


def groups(by: Any, *rows: Row, axis: Axis = "variable") -> RowGroups:
    made = RowGroups(by, all_signals())
    made.follow({axis: named(*rows)})
    return made


def names(by: Any, *rows: Row, axis: Axis = "variable") -> list[str]:
    known = RowGroups(by, all_signals()).follow({axis: named(*rows)})
    return [row.name for row in known[axis]]


def grouped(by: Any, values: dict[str, list[list[float]]], *rows: Row) -> dict[str, Array]:
    """Groups steps, `[steps][rows]` by signal."""
    slots, parts = [], []
    for signal, steps in values.items():
        start = sum(part.shape[1] for part in parts)
        slots.append(Slot(signal, tuple(row.name for row in rows), start))
        parts.append(np.array(steps, np.float32))
    found, new = groups(by, *rows).steps(np.concatenate(parts, axis=1), slots)
    return {slot.signal: found[:, slot.columns] for slot in new}


def test_a_depth_names_a_group_by_the_layers_path_and_keeps_roles_apart() -> None:
    assert names(1, *ROWS) == ["a/kernel x2", "a/one/bias", "b/kernel"]
    assert names(2, *ROWS) == [row.name for row in ROWS]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("kernel", ["kernel/kernel x3", "a/one/bias"]),
        ("^(a)/", ["a/kernel x2", "a/one/bias", "b/kernel"]),
        ("^(a|b)", ["a/kernel x2", "a/one/bias", "b/kernel"]),
        ("nowhere", [row.name for row in ROWS]),
    ],
)
def test_an_expression_names_a_group_by_what_it_finds(by: str, expected: list[str]) -> None:
    assert names(re.compile(by), *ROWS) == expected


def test_activations_of_another_function_are_another_group() -> None:
    rows = [
        Row(f"a/{i}", f"a/{i}", "hidden", 8, function)
        for i, function in enumerate(["relu", "tanh", "relu", "tanh", "gelu"])
    ]
    expected = ["a/relu x2", "a/tanh x2", "a/4"]
    assert names(1, *rows, axis="activation") == expected


def test_a_group_is_as_large_as_its_members() -> None:
    known = RowGroups(1, all_signals()).follow({"variable": named(*ROWS)})
    assert [row.size for row in known["variable"]] == [8, 3, 4]


def test_facts_say_what_a_group_holds() -> None:
    facts = groups(1, *ROWS).facts(
        {"loss": "mse", "kernel_fans": {row.name: [2, 3] for row in (ROWS[0], ROWS[2])}}
    )
    assert facts == {
        "loss": "mse",
        "groups": {
            "a/kernel x2": {
                "members": 2,
                "first": "a/one/kernel",
                "last": "a/two/kernel",
            }
        },
        "kernel_fans": {"a/kernel x2": [2, 3]},
    }


def test_signals_of_a_group_are_those_of_its_members_together() -> None:
    random = np.random.default_rng(0)
    rows = [Row(f"a/{i}/kernel", f"a/{i}", "kernel", size) for i, size in enumerate((5, 9, 2))]
    gradients, first, before, change = (
        [random.normal(size=row.size) * 10.0**-i for i, row in enumerate(rows)] for _ in range(4)
    )

    def each(measure: Any, *arrays: list[Any]) -> list[list[float]]:
        return [[float(measure(*parts)) for parts in zip(*arrays, strict=True)]]

    norm = np.linalg.norm
    together = [np.concatenate(arrays) for arrays in (gradients, first, before, change)]
    measured = {
        "gradient_norm": each(norm, gradients),
        "weight_rms": each(lambda w: np.sqrt(np.mean(w**2)), before),
        "update_ratio": each(lambda d, w: norm(d) / norm(w), change, before),
        "weight_growth": each(lambda w, f: norm(w) / norm(f), before, first),
        "predicted_change": each(np.dot, gradients, change),
        "weight_nonfinite": [[1.0, 0.0, 3.0]],
        "gradient_snr": [[1.0, 2.0, 3.0]],
    }
    found = {name: float(values[0, 0]) for name, values in grouped(1, measured, *rows).items()}
    assert found == pytest.approx(
        {
            "gradient_norm": norm(together[0]),
            "weight_rms": np.sqrt(np.mean(together[2] ** 2)),
            "update_ratio": norm(together[3]) / norm(together[2]),
            "weight_growth": norm(together[2]) / norm(together[1]),
            "predicted_change": together[0] @ together[3],
            "weight_nonfinite": 4.0,
            "gradient_snr": (5 * 1.0 + 9 * 2.0 + 2 * 3.0) / 16,
        },
        rel=1e-5,
    )


def test_what_was_not_measured_of_a_member_is_left_out_and_what_was_nan_is_not() -> None:
    missing, nan = float(NOT_MEASURED), float("nan")
    rows = [Row(f"a/{i}/kernel", f"a/{i}", "kernel", 4) for i in range(3)]
    steps = [[3.0, missing, 4.0], [missing] * 3, [nan, missing, 1.0], [0.0, 0.0, 0.0]]
    found = grouped(1, {"gradient_norm": steps, "weight_rms": steps}, *rows)
    np.testing.assert_array_equal(found["gradient_norm"][:, 0], [5.0, missing, nan, 0.0])
    np.testing.assert_allclose(found["weight_rms"][:, 0], [np.sqrt(12.5), missing, nan, 0.0])


def test_initial_weights_of_a_group_are_those_of_all_elements() -> None:
    random = np.random.default_rng(0)
    weights = [random.normal(i, 1 + i, size=row.size) for i, row in enumerate(ROWS)]
    weights[0][0] = 0.0
    fields = [[w.mean(), w.std(), w.min(), w.max(), np.mean(w == 0)] for w in weights]
    [kernels, bias, _] = groups(1, *ROWS).noted("initial_weights", np.array(fields, np.float32))
    w = np.concatenate([weights[0], weights[2]])
    expected = [w.mean(), w.std(), w.min(), w.max(), np.mean(w == 0)]
    np.testing.assert_allclose(kernels, expected, rtol=1e-5)
    np.testing.assert_allclose(bias, fields[1], rtol=1e-5)


BLOCKS, EXPERTS, WIDTH = 4, 64, 6


class Experts(keras.layers.Layer):  # type: ignore[misc]
    """Hands each example to one of many experts; the last of those that are called gets none."""

    def __init__(self, name: str, count: int, called: int) -> None:
        super().__init__(name=name)
        self.ups, self.downs = (
            [layers.Dense(WIDTH, f, use_bias=False, name=f"{part}_{i}") for i in range(count)]
            for part, f in (("up", "relu"), ("down", None))
        )
        self.called = called

    def build(self, shape: Any) -> None:
        for layer in [*self.ups, *self.downs]:
            layer.build((None, WIDTH))

    def call(self, x: Any) -> Any:
        asked = keras.ops.cast(keras.ops.abs(x[:, 0]) * 1000, "int32") % (self.called - 1)
        gates = keras.ops.one_hot(asked, self.called)
        experts = zip(self.ups[: self.called], self.downs, strict=False)
        return x + sum(gates[:, i : i + 1] * down(up(x)) for i, (up, down) in enumerate(experts))


def experts(blocks: int, count: int, called: int) -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = hidden = keras.Input((WIDTH,))
    for block in range(blocks):
        hidden = Experts(f"block_{block}", count, called)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="head")(hidden))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return model


@pytest.mark.slow
def test_blocks_of_many_experts_have_a_row_for_each_block(tmp_path: Path) -> None:
    x, y = models.data(2 * by_hand.BATCH)
    x = x[:, :WIDTH]
    callback = gradhealth.HealthCallback(tmp_path, group_by=1, verbose=0)
    model = experts(BLOCKS, EXPERTS, EXPERTS)
    model.fit(x, y, batch_size=by_hand.BATCH, shuffle=False, verbose=0, callbacks=[callback])
    run = read_run(tmp_path)
    rows = [row.name for row in run.info().rows["variable"]]
    count = 2 * EXPERTS
    blocks = [f"block_{i}/kernel x{count}" for i in range(BLOCKS)]
    assert rows == [*blocks, "head/kernel", "head/bias"]
    assert run.info().facts["groups"][blocks[0]]["members"] == count
    assert [row.size for row in run.info().rows["activation"]] == [EXPERTS * WIDTH] * BLOCKS

    twin = experts(BLOCKS, EXPERTS, EXPERTS)
    owner = [variable.path.split("/")[0] for variable in twin.trainable_variables]
    for i, step in enumerate(by_hand.train(twin, (x, y))):
        for row, block in enumerate(f"block_{i}" for i in range(BLOCKS)):
            mine = [j for j, each in enumerate(owner) if each == block]
            gradient, before, change = (
                np.concatenate([arrays[j].ravel() for j in mine])
                for arrays in (step.gradients, step.before, step.changes)
            )
            expected = {
                "gradient_norm": np.linalg.norm(gradient),
                "update_ratio": np.linalg.norm(change) / np.linalg.norm(before),
                "weight_rms": np.sqrt(np.mean(before**2)),
                "predicted_change": gradient @ change,
            }
            for signal, value in expected.items():
                measured = run.series(signal).values[i, row, 0]
                assert measured == pytest.approx(value, rel=2e-3), (signal, block)


def test_experts_without_a_gradient_are_neither_healthy_nor_dead(tmp_path: Path) -> None:
    x, y = models.data(32)
    model = experts(blocks=1, count=5, called=3)
    # Each example is answered by expert 0 or 1; 2 is called for nothing, 3 and 4 are not called.
    callback = gradhealth.HealthCallback(tmp_path, group_by=r"(_\d)/kernel", verbose=0)
    model.fit(x[:, :WIDTH], y, verbose=0, callbacks=[callback])
    run = read_run(tmp_path)
    rows = [row.name for row in run.info().rows["variable"]]
    assert rows == [*(f"_{i}/kernel x2" for i in range(5)), "head/kernel", "head/bias"]
    norms = run.series("gradient_norm").values[0, :5, 0]
    assert (norms[:2] > 0).all()
    assert norms[2:].tolist() == [0.0, NOT_MEASURED, NOT_MEASURED]


@pytest.mark.slow
def test_a_finding_names_the_group_and_how_many_it_holds(tmp_path: Path) -> None:
    loop = loops.Loop("mlp", "graph")
    loop.optimizer.learning_rate = 1.0
    with gradhealth.HealthMonitor(
        tmp_path, model=loop.model, optimizer=loop.optimizer, group_by="dense", verbose=0
    ) as monitor:
        for x, y in loops.batches(60):
            monitor.step(loop.step, x, y)
    finding = next(f for f in monitor.findings if f.rule == "learning_rate_too_high")
    assert "`dense/kernel x5`" in finding.title
    assert finding.layers == ("dense/kernel x5",)
    assert gradhealth.diagnose(tmp_path) == monitor.findings


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "(", ["a"]])
def test_a_group_by_that_makes_no_sense_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="group_by="):
        gradhealth.HealthCallback(tmp_path, group_by=value)


def test_ratios_need_sizes_which_are_then_measured_too(tmp_path: Path) -> None:
    model = models.compiled("residual")
    x, y = models.data(20)
    callback = gradhealth.HealthCallback(tmp_path, signals=["update_ratio"], group_by=1, verbose=0)
    model.fit(x, y, verbose=0, callbacks=[callback])
    assert set(read_run(tmp_path).info().signals) == {"update_ratio", "weight_rms"}
