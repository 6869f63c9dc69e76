"""A part of the monitor itself fails: it costs that part, not the training and not the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensorboard_gradhealth.rules import RULES, Engine
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.signals._base import Signal
from tensorboard_gradhealth.training import arguments
from tests.effort import THOROUGH
from tests.faults.training import STEPS, Outcome, callback, train
from tests.logs import read_run, write_run

pytestmark = pytest.mark.slow

Property = Callable[[str, object], None]


@pytest.fixture(scope="module")
def undisturbed() -> Outcome:
    return train()


def raises(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("a fault of ours")


def breaking(name: str) -> list[Signal]:
    """Returns all signals, of which one cannot be measured."""
    return [
        dataclasses.replace(signal, measure=raises) if signal.spec.name == name else signal
        for signal in all_signals()
    ]


USUAL = ("gradient_norm", "activation_gain", "epoch_metrics", "initial_weights", "input_features")


BROKEN_ONE_BY_ONE = [s for s in all_signals() if THOROUGH or s.spec.name in USUAL]
"""Every signal, or in `make test` those that are measured in different places."""


@pytest.mark.parametrize("signal", BROKEN_ONE_BY_ONE, ids=lambda signal: str(signal.spec.name))
def test_a_signal_that_raises_costs_that_signal(
    signal: Signal,
    undisturbed: Outcome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Property,
) -> None:
    monkeypatch.setattr(arguments, "preset_signals", lambda _: breaking(signal.spec.name))
    outcome = train(callback(tmp_path, preset="full"))
    assert outcome.weights == undisturbed.weights
    [report] = outcome.reports
    assert signal.spec.name in report and "a fault of ours" in report
    run = read_run(tmp_path)
    assert run.last_step == STEPS - 1
    assert "a fault of ours" in run.info().not_measured[signal.spec.name]
    others = {each.spec.name for each in all_signals() if each.phase != signal.phase}
    assert {"loss", "gradient_norm", "zero_fraction", "update_ratio"} & others <= {
        name for name in run.info().signals if run.count(name)
    }
    record_property("faults injected", 1)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.name))
def test_a_rule_that_raises_is_not_evaluated_and_says_why(
    rule: Any, tmp_path: Path, record_property: Property
) -> None:
    write_run(tmp_path, range(30))
    broken = [dataclasses.replace(r, check=raises, requires=()) if r is rule else r for r in RULES]
    run = read_run(tmp_path)
    engine, sound = Engine(run.info(), broken), Engine(run.info())
    for record in run.records():
        engine.feed(record)
        sound.feed(record)
    states = {state.rule: state for state in engine.states()}
    assert states[rule.name].state == "not evaluated"
    assert "a fault of ours" in states[rule.name].reason
    for state in sound.states():
        assert state.rule == rule.name or states[state.rule] == state
    record_property("faults injected", 1)


def test_training_with_rules_that_all_raise_finishes_unchanged(
    undisturbed: Outcome, tmp_path: Path, record_property: Property
) -> None:
    monitor = callback(tmp_path)
    broken = [dataclasses.replace(rule, check=raises) for rule in RULES]
    engine = {**monitor._options.engine, "rules": broken}
    monitor._options = dataclasses.replace(monitor._options, engine=engine)
    outcome = train(monitor)
    assert outcome.weights == undisturbed.weights
    assert read_run(tmp_path).last_step == STEPS - 1
    stored = read_run(tmp_path).findings()
    assert stored is not None
    assert any("a fault of ours" in state.reason for state in stored[1])
    record_property("faults injected", len(RULES))


METHODS = ("_take", "epoch", *(("read", "after_steps", "_record", "_tell") if THOROUGH else ()))


@pytest.mark.parametrize("method", METHODS)
def test_a_fault_of_the_session_is_reported_once(
    method: str,
    undisturbed: Outcome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Property,
) -> None:
    monitor = callback(tmp_path)
    outcome = train(monitor, lambda: monkeypatch.setattr(monitor._session, method, raises))
    assert outcome.weights == undisturbed.weights
    assert {finding.id for finding in outcome.before} <= {finding.id for finding in outcome.after}
    assert len(outcome.reports) <= 1
    assert outcome.reports or method == "_tell"  # which nothing calls if nothing new is found
    record_property("faults injected", 1)
