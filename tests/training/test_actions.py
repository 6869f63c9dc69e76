"""What is done when a finding opens: what was asked for, once, and nothing else."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.actions import Action, Call, SaveLastGoodWeights, StopTraining
from tensorboard_gradhealth.rules import Rule, Sign, View
from tensorboard_gradhealth.training.guard import MonitorWarning
from tensorboard_gradhealth.training.host import good_weights
from tensorboard_gradhealth.types import Evidence, Finding, Severity
from tests.training import loops, models
from tests.training.synthetic import Training


def _large_loss(view: View) -> Sign | None:
    loss = float(view.latest("loss", "max")[0])
    if not loss > 10:
        return None
    severity: Severity = "error" if loss > 100 else "warning"
    return Sign(severity, "The loss is large", (Evidence("loss", loss, 10),))


LARGE_LOSS = Rule("large_loss", "GH601", "loss", _large_loss, ("loss",), clear=1, inhibited_by=())


def train(log_dir: Path, *losses: float, actions: list[Action], first_step: int = 0) -> Training:
    """Takes steps with these losses, which are all that is not healthy in them."""
    training = Training(log_dir, rules=[LARGE_LOSS], actions=actions, first_step=first_step)
    rows = training.healthy(len(losses))
    rows[:, training.column("loss")] = losses
    training.take(rows)
    return training


class Note(Action):
    """Keeps what it is called with."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[tuple[str, int]] = []

    def act(self, finding: Finding, training: gradhealth.actions.Training) -> None:
        self.seen.append((finding.id, training.step))


def test_an_action_is_called_once_for_a_finding_however_long_it_lasts(tmp_path: Path) -> None:
    note = Note()
    train(tmp_path, 1, 1, *[500] * 9, 1, *[500] * 9, actions=[note])
    # The step at which it is seen is over; the second time it has to hold for two records.
    assert note.seen == [("large_loss", 2), ("large_loss#2", 13)]


def test_severity_is_the_least_that_is_answered_and_may_come_later(tmp_path: Path) -> None:
    mild, grave = Note(severity="warning"), Note(severity="error")
    train(tmp_path, 1, 50, 50, 500, 500, actions=[mild, grave])
    assert (mild.seen, grave.seen) == ([("large_loss", 1)], [("large_loss", 3)])


def test_rules_choose_what_is_answered(tmp_path: Path) -> None:
    note = Note(rules=["loss_spike", "dead_units"])
    train(tmp_path, 1, 500, 500, actions=[note])
    assert not note.seen


def test_what_the_log_held_before_calls_for_nothing(tmp_path: Path) -> None:
    train(tmp_path, 1, *[500] * 9, actions=[]).session.finish()
    note = Note()
    train(tmp_path, *[500] * 5, 1, 1, *[500] * 5, actions=[note], first_step=10)
    assert [finding for finding, _ in note.seen] == ["large_loss#2"]


def test_a_fault_of_an_action_is_reported_once_and_the_others_are_called(tmp_path: Path) -> None:
    def call_home(finding: Finding) -> None:
        raise ConnectionError(f"no route to tell of {finding.rule}")

    note = Note()
    with pytest.warns(MonitorWarning, match=r"call_home.*no route.*large_loss.*goes on") as reports:
        train(tmp_path, 1, *[500] * 9, 1, *[500] * 9, actions=[Call(call_home), note])
    assert [report.category for report in reports].count(MonitorWarning) == 1
    assert len(note.seen) == 2


def test_stopping_is_said_with_its_reason(tmp_path: Path) -> None:
    training = train(tmp_path, 1, 500, 500, actions=[StopTraining()])
    assert training.stops == 1
    assert training.printed[-1] == "Training is stopped because of `large_loss`."


def numbers(model: keras.Model) -> list[np.ndarray]:
    return [np.array(weight) for weight in model.get_weights()]


class Trainee:
    """A model whose kernel holds the number of steps that it has taken."""

    def __init__(self) -> None:
        self.model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        self.model.compile("adam", "mse")
        self.model.optimizer.build(self.model.trainable_variables)

    def holds(self, step: float) -> None:
        self.model.set_weights([np.full_like(weight, step) for weight in self.model.get_weights()])

    def train(self, log_dir: Path, losses: list[float], action: Action) -> Training:
        training = Training(log_dir, rules=[LARGE_LOSS], actions=[action])
        training.actions.model = self.model
        rows = training.healthy(len(losses))
        rows[:, training.column("loss")] = losses
        for step in range(len(losses)):
            self.holds(step + 1)
            training.take(rows[step : step + 1])
        return training

    def load(self, path: Path) -> float:
        self.model.load_weights(path)
        return float(self.model.get_weights()[0].max())


@pytest.mark.parametrize(("onset", "expected"), [(10, 5), (11, 10), (12, 10), (15, 10), (30, 25)])
def test_last_good_weights_are_older_than_the_step_that_showed_the_finding(
    onset: int, expected: int, tmp_path: Path
) -> None:
    trainee, path = Trainee(), tmp_path / "new" / "good.weights.h5"
    losses = [1.0] * onset + [500.0] * 12
    trainee.train(tmp_path, losses, SaveLastGoodWeights(str(path), every=5))
    assert trainee.load(path) == expected
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_where_no_copy_is_old_enough_that_is_said_and_nothing_is_saved(tmp_path: Path) -> None:
    action = SaveLastGoodWeights(str(tmp_path / "good.weights.h5"), every=5)
    training = Trainee().train(tmp_path, [1.0] * 5 + [500.0] * 9, action)
    assert "no copy from before step 5" in training.printed[-1]
    assert not list(tmp_path.glob("*.h5"))


def test_weights_that_are_not_finite_are_no_good_weights(tmp_path: Path) -> None:
    trainee, path = Trainee(), tmp_path / "good.weights.h5"
    action = SaveLastGoodWeights(str(path), every=5)
    holds = trainee.holds
    trainee.holds = lambda step: holds(np.nan if step >= 8 else step)  # type: ignore[method-assign]
    trainee.train(tmp_path, [1.0] * 30 + [500.0], action)
    assert trainee.load(path) == 5


def test_saved_weights_stay_while_the_finding_is_open_and_give_way_to_a_later_one(
    tmp_path: Path,
) -> None:
    trainee, path = Trainee(), tmp_path / "good.weights.h5"
    action = SaveLastGoodWeights(str(path), every=5)
    trainee.train(tmp_path, [1.0] * 12 + [500.0] * 12, action)
    assert trainee.load(path) == 10
    trainee.train(tmp_path / "b", [1.0] * 12 + [500.0] * 6 + [1.0] * 9 + [500.0] * 6, action)
    assert trainee.load(path) == 25


def test_saving_shows_keras_other_values_and_changes_nothing(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = models.compiled("cnn")
    x, y = models.data()
    model.fit(x, y, verbose=0)
    values = good_weights.copied(model)
    assert values is not None
    good, state = numbers(model), model.optimizer.variables[3].numpy()
    model.fit(x, y, verbose=0)
    before = numbers(model)
    attributes = [set(vars(layer)) for layer in model.layers]
    path = str(tmp_path / "good.weights.h5")
    good_weights.save(model, values, path)
    assert all(map(np.array_equal, numbers(model), before))
    assert [set(vars(layer)) for layer in model.layers] == attributes

    other = models.compiled("cnn", seed=5)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(path)
    assert all(map(np.array_equal, numbers(other), good))
    np.testing.assert_array_equal(other.optimizer.variables[3].numpy(), state)


MODES: dict[str, dict[str, Any]] = {
    "graph": {},
    "xla": {"jit_compile": True},
    "eager": {"run_eagerly": True},
    "4 steps per execution": {"steps_per_execution": 4},
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_fit_stops_at_a_nan_and_keeps_the_weights_of_before(mode: str, tmp_path: Path) -> None:
    x, y = models.data(320)
    x[250] = np.nan
    twin, model = (models.compiled("residual", **MODES[mode]) for _ in range(2))
    seen: list[Finding] = []
    path = tmp_path / "good.weights.h5"
    callback = gradhealth.HealthCallback(
        tmp_path,
        on_finding=[
            SaveLastGoodWeights(str(path), every=4, rules=["nonfinite_inputs", "nonfinite_values"]),
            StopTraining(rules=["nonfinite_inputs", "nonfinite_values"]),
            seen.append,
        ],
        verbose=0,
    )
    options: dict[str, Any] = {"batch_size": 10, "shuffle": False, "verbose": 0}
    model.fit(x, y, epochs=5, callbacks=[callback], **options)
    assert int(model.optimizer.iterations) in (27, 28, 32)  # of 160
    assert {"nonfinite_inputs", "nonfinite_values"} & {finding.rule for finding in seen}
    model.load_weights(path)
    assert int(model.optimizer.iterations) == 24
    twin.fit(x[:240], y[:240], **options)
    for ours, theirs in zip(numbers(model), numbers(twin), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("mode", loops.MODES)
def test_a_loop_is_told_to_stop(mode: str, tmp_path: Path) -> None:
    loop = loops.Loop("residual", mode)
    path = tmp_path / "good.weights.h5"
    batches = loops.batches(20)
    batches[9] = (batches[9][0] * np.nan, batches[9][1])
    steps = 0
    with gradhealth.HealthMonitor(
        tmp_path,
        model=loop.model,
        optimizer=loop.optimizer,
        on_finding=[SaveLastGoodWeights(str(path), every=4), StopTraining()],
        verbose=0,
    ) as monitor:
        for x, y in batches:
            monitor.step(loop.step, x, y)
            steps += 1
            if monitor.should_stop:
                break
    assert steps == 10
    loop.model.load_weights(path)
    assert all(np.isfinite(weight).all() for weight in numbers(loop.model))


def test_without_a_model_there_are_no_weights_to_save_and_that_is_said(tmp_path: Path) -> None:
    variable, optimizer = tf.Variable([1.0], name="w"), keras.optimizers.SGD(0.1)
    action = SaveLastGoodWeights("good.weights.h5")
    watched: dict[str, Any] = {"variables": [variable], "optimizer": optimizer, "verbose": 0}
    with gradhealth.HealthMonitor(tmp_path, **watched, on_finding=[action]) as monitor:

        def step() -> float:
            optimizer.apply([tf.ones([1])], [variable])
            return float("nan")

        with pytest.warns(MonitorWarning, match=r"SaveLastGoodWeights.*model=, not variables="):
            monitor.step(step)


def test_without_actions_nothing_is_copied_or_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(good_weights, "copied", lambda model: pytest.fail("a copy was made"))
    model = models.compiled("residual")
    x, y = models.data(40)
    x[3] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error", MonitorWarning)
        callback = gradhealth.HealthCallback(tmp_path, verbose=0)
        model.fit(x, y, epochs=2, batch_size=10, verbose=0, callbacks=[callback])
    assert callback.findings and int(model.optimizer.iterations) == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StopTraining(severity="fatal"), r"severity='fatal'.*'error'"),  # type: ignore[arg-type]
        (lambda: StopTraining(rules=["dead_unit"]), r"rules=\['dead_unit'\].*'dead_units'"),
        (lambda: StopTraining(rules="dead_units"), r"rules='dead_units'.*a list"),
        (lambda: SaveLastGoodWeights("good.h5"), r"path='good.h5'.*\.weights\.h5"),
        (lambda: SaveLastGoodWeights("a.weights.h5", every=0), r"every=0.*>= 1"),
        (lambda: gradhealth.HealthCallback("x", on_finding=StopTraining()), "a list of actions"),  # type: ignore[arg-type]
        (lambda: gradhealth.HealthCallback("x", on_finding=[StopTraining]), "a list of actions"),  # type: ignore[arg-type,list-item]
        (lambda: gradhealth.HealthCallback("x", on_finding=["stop"]), r"\['stop'\]"),  # type: ignore[list-item]
    ],
)
def test_actions_that_make_no_sense_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
