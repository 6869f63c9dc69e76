"""What the rules on loss and learning rate say of whole runs, together and over time."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tensorboard_gradhealth.rules import Case, case, replay
from tensorboard_gradhealth.rules._cases import Measure, kernel
from tensorboard_gradhealth.rules._loss import Curve
from tensorboard_gradhealth.types import Finding, Row

ROWS = {"variable": (kernel("dense/kernel"), kernel("dense_1/kernel"))}
BINARY = {"loss": "binary_crossentropy", "optimizer": "Adam"}
GUESSING = math.log(2)


def noise(step: int) -> float:
    return 0.02 * math.sin(2.4 * step)


def run(
    loss: Measure, rate: Measure = lambda s: 1e-3, ratio: float = 0.005, steps: int = 600
) -> Case:
    return case(
        "run",
        rows=ROWS,
        run={"loss": loss, "learning_rate": rate},
        variable={"update_ratio": lambda s: [ratio * rate(s) / 1e-3] * 2},
        classes={"label_counts": lambda s: {"count": [100, 100]}},
        facts=BINARY,
        steps=steps,
    )


def judge(judged: Case) -> dict[str, Finding]:
    findings, states = replay(judged.info, judged.records)
    assert [state for state in states if "failed" in state.reason] == []
    return {finding.rule: finding for finding in findings}


def test_labels_without_signal_are_worth_knowing_and_no_more() -> None:
    found = judge(run(lambda s: GUESSING + noise(s)))
    assert {name: finding.severity for name, finding in found.items()} == {"loss_plateau": "info"}
    assert found["loss_plateau"].title == "The loss stays at 0.693; guessing gives 0.693"


def test_a_rate_that_is_far_too_low_is_named_within_fifty_steps_and_explains_the_plateau() -> None:
    judged = run(lambda s: GUESSING + noise(s), rate=lambda s: 1e-7)
    early, _ = replay(judged.info, judged.records[:45])
    assert [finding.rule for finding in early] == ["learning_rate_too_low"]
    found = judge(judged)
    assert found["loss_plateau"].caused_by == "learning_rate_too_low"


def test_after_a_warm_up_the_rate_that_it_reached_is_judged() -> None:
    def rate(step: int) -> float:
        return 1e-7 * min(1.0, (step + 1) / 150)

    found = judge(run(lambda s: GUESSING + noise(s), rate=rate))
    assert found["learning_rate_too_low"].severity == "warning"
    rising = run(lambda s: GUESSING + noise(s), rate=lambda s: 1e-7 * (s + 1))
    assert "learning_rate_too_low" not in judge(rising)


def test_a_raised_rate_ends_the_finding_that_it_was_too_low() -> None:
    def loss(step: int) -> float:
        return (GUESSING if step < 200 else GUESSING * 0.99 ** (step - 200)) + noise(step)

    found = judge(run(loss, rate=lambda s: 1e-7 if s < 200 else 1e-3))
    assert not found["learning_rate_too_low"].open


def test_a_loss_that_diverges_to_nan_is_one_story() -> None:
    judged = run(lambda s: GUESSING * 1.05**s if s < 170 else math.nan, steps=200)
    found = judge(judged)
    assert found["loss_divergence"].severity == "error"
    assert found["nonfinite_values"].caused_by == "loss_divergence"


def test_a_loss_that_comes_back_ends_its_divergence() -> None:
    def loss(step: int) -> float:
        return 20.0 if 100 <= step < 200 else GUESSING * 0.995**step

    found = judge(run(loss))
    assert (found["loss_divergence"].severity, found["loss_divergence"].open) == ("error", False)


@pytest.mark.parametrize(
    "loss",
    [
        lambda s: 3 * 0.99**s,
        lambda s: -3 * (1 - 0.99**s),
        lambda s: 1e-6 * (1 + noise(s)),
        lambda s: 0.3 + 2 * 0.99 ** (s % 300),
        lambda s: 2.3 * 0.98**s + (0.2 if s % 37 == 0 else 0.01),
    ],
    ids=["falls", "falls below zero", "starts converged", "restarts", "hard examples"],
)
@pytest.mark.parametrize("steps", [6, 45, 200, 1000])
def test_losses_of_healthy_runs_are_left_alone(loss: Measure, steps: int) -> None:
    found = judge(run(loss, steps=steps))
    assert {name for name, finding in found.items() if finding.severity != "info"} == set()


@pytest.mark.parametrize(
    ("loss", "plateau"),
    [(lambda s: GUESSING + noise(s), True), (lambda s: 0.01 + noise(s) / 9, False)],
    ids=["guesses", "has converged"],
)
@pytest.mark.parametrize("ratio", [1e-6, 0.005])
def test_a_run_that_is_resumed_without_its_past_is_judged_without_fault(
    loss: Measure, plateau: bool, ratio: float
) -> None:
    resumed = run(loss, ratio=ratio)
    records = [
        dataclasses.replace(record, step=record.step + 9000, first_step=record.first_step + 9000)
        for record in resumed.records
    ]
    findings, states = replay(resumed.info, records)
    assert [state for state in states if "failed" in state.reason] == []
    began = {finding.rule: finding.first_step >= 9000 for finding in findings}
    assert began.pop("learning_rate_too_low", True)
    assert began == ({"loss_plateau": True} if plateau else {})


def test_the_longest_steps_are_unstable_only_if_nothing_is_gained() -> None:
    def judged(loss: Measure) -> Finding:
        overshoot = {"step_overshoot": lambda s: 1.5 if s % 10 == 0 else None}
        edge = case("edge", run={"loss": loss, **overshoot}, steps=400)
        return judge(edge)["unstable_step"]

    assert judged(lambda s: 2.3 * 0.995**s).severity == "info"
    assert judged(lambda s: 2.3 + noise(s)).severity == "warning"


def test_the_level_of_a_curve_is_the_median_over_steps() -> None:
    curve = Curve(np.array([9.0, 1.0, 5.0]), np.array([0.0, 1, 2]), np.array([0.0, 1, 99]))
    assert curve.level() == 5
    assert math.isnan(curve.since(200).level())


def test_the_trend_of_a_curve_comes_with_its_error() -> None:
    steps = np.arange(100.0)
    wavy = Curve(5 - 0.01 * steps + 0.1 * np.sin(2.4 * steps), steps, steps)
    slope, error = wavy.trend()
    assert slope == pytest.approx(-0.01, abs=2 * error)
    assert 0 < error < 0.001
    assert math.isnan(wavy.since(95).trend()[0])


@pytest.mark.parametrize(("momentum", "lags"), [(0.99, True), (0.9, False), (0.0, False)])
def test_averages_that_lag_come_before_over_confidence(momentum: float, lags: bool) -> None:
    def each_epoch(value: Measure) -> Measure:
        return lambda s: value(s // 20) if s % 20 == 19 else None

    def rises(epoch: int) -> float:
        return 1.0 + 1.3 * 0.7**epoch if epoch < 12 else 1.0 + 0.05 * (epoch - 12)

    judged = case(
        "right more often, and the validation loss rises",
        rows={"metric": tuple(map(Row, ("loss", "val_loss", "val_accuracy")))},
        run={"loss": lambda s: 2.3 * 0.99**s, "validation_loss": each_epoch(rises)},
        metric={"epoch_metrics": each_epoch(lambda e: [2.3 * 0.82**e, 1, 0.6 + 0.006 * e])},
        facts={"batch_norm_momentum": momentum},
        steps=400,
    )
    found = judge(judged)["overfitting"]
    assert ("batch normalisation" in found.causes[0].text) == lags
    assert (found.fixes[0].code == "keras.layers.BatchNormalization(momentum=0.9)") == lags
    assert found.title.startswith("Over-confidence") != lags


def test_a_spike_that_was_clipped_is_not_to_be_clipped_again() -> None:
    spikes = (200, 300, 400)
    judged = case(
        "spikes",
        run={
            "gradient_global_norm": lambda s: 40.0 if s in spikes else 1.0,
            "loss": lambda s: 2.3 + noise(s),
            "clip_rate": lambda s: float(s in spikes),
        },
        steps=600,
    )
    found = judge(judged)["gradient_spike"]
    assert (found.severity, len(found.fixes)) == ("info", 1)
    assert "clip" not in found.fixes[0].text
