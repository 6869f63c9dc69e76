"""What rules share: an answer is computed once, until the rule that asks would see other values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tensorboard_gradhealth.rules import Engine, Rule, View
from tensorboard_gradhealth.rules._answers import until_new
from tensorboard_gradhealth.types import Record, Row, RunInfo, SignalSpec

Question = Callable[[View], float]
INFO = RunInfo(
    {"variable": (Row("a"), Row("b"))},
    {name: SignalSpec(name, name, "", "variable") for name in ("x", "y")},
)


class Asked:
    """An engine whose rules each ask for the sum of `x`, and how often that was computed."""

    def __init__(self, early: bool = False, **ignore: str) -> None:
        self.computed: list[float] = []
        self.answers: list[float] = []

        @until_new("x", early=early)
        def total(view: View) -> float:
            values = view.early("x")[-1] if early else view.latest("x")
            self.computed.append(float(np.nansum(values)))
            return self.computed[-1]

        def check(view: View) -> None:
            self.answers.append(total(view))

        rules = [Rule(name, f"GH30{i}", "step", check) for i, name in enumerate(("one", "two"))]
        self.engine = Engine(INFO, rules, ignore=ignore)

    def feed(self, step: int, **signals: float) -> None:
        arrays = {n: np.full((2, 3), value, np.float32) for n, value in signals.items()}
        self.engine.feed(Record(step, step, arrays))


def test_rules_that_ask_the_same_of_a_record_share_the_answer() -> None:
    asked = Asked()
    asked.feed(0, x=1)
    assert asked.answers == [2, 2]
    assert asked.computed == [2]


def test_an_answer_stands_while_its_signal_has_no_new_values() -> None:
    asked = Asked()
    asked.feed(0, x=1, y=1)
    asked.feed(1, y=2)
    assert asked.computed == [2]
    asked.feed(2, x=3)
    assert asked.answers[-2:] == [6, 6]


def test_what_looks_at_the_first_steps_is_not_asked_again_after_them() -> None:
    asked = Asked(early=True)
    asked.feed(50, x=1)
    asked.feed(60, x=2)
    assert asked.computed == [2]


def test_a_rule_that_ignores_a_row_has_its_own_answer() -> None:
    asked = Asked(two="b")
    asked.feed(0, x=1)
    assert asked.answers == [2, 1]


def test_a_run_that_is_described_anew_is_asked_anew() -> None:
    asked = Asked()
    asked.feed(0, x=1)
    asked.engine.info = INFO
    asked.feed(1, y=1)
    assert asked.computed == [2, 2]
