"""A branch that is hardly ever taken costs one operation, and answers as any other."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tensorboard_gradhealth.signals import _rarely


def looked(unneeded: bool, look: Any) -> tuple[float, bool]:
    """Returns what a traced condition gives, and whether TensorFlow takes it apart."""

    @tf.function
    def step(flag: tf.Tensor) -> tf.Tensor:
        return _rarely.rarely(flag, lambda: tf.constant(0.0), look)

    graph = step.get_concrete_function(tf.constant(True)).graph
    [condition] = [op for op in graph.get_operations() if op.type in ("If", "StatelessIf")]
    try:
        apart = condition.get_attr("_lower_using_switch_merge")
    except ValueError:
        apart = False
    return float(step(tf.constant(unneeded))), apart


@pytest.mark.parametrize("unneeded", [True, False])
def test_it_stays_whole(unneeded: bool) -> None:
    variable = tf.Variable(3.0)
    value, apart = looked(unneeded, lambda: variable * 2.0)
    assert value == (0.0 if unneeded else 6.0)
    assert not apart


@pytest.mark.parametrize("unneeded", [True, False])
def test_without_the_private_switch_it_is_an_ordinary_condition(
    unneeded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lost in ("_SWITCH", "_MODULE"):
        with monkeypatch.context() as patch:
            patch.setattr(_rarely, lost, "tensorflow.that_is_no_more")
            value, apart = looked(unneeded, lambda: tf.constant(6.0))
        assert value == (0.0 if unneeded else 6.0)
        assert apart


def test_where_variables_may_lie_on_several_devices_it_is_an_ordinary_condition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: ["CPU:0", "CPU:1"])
    assert looked(True, lambda: tf.constant(6.0)) == (0.0, True)


def test_conditions_of_others_are_as_they_were() -> None:
    module: Any = _rarely._module()

    def look() -> tf.Tensor:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        looked(True, look)
    assert getattr(module, _rarely._SWITCH) is False
