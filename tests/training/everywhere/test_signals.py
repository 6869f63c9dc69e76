"""What `HealthCallback` records is what happened, whatever the model and the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.training.guard import MonitorWarning
from tensorboard_gradhealth.training.hooks.direction_hooks import SAMPLE
from tensorboard_gradhealth.types import NOT_MEASURED, Finding
from tests.training.everywhere import by_hand
from tests.training.everywhere.cases import BATCH, CASES, GAN, Case
from tests.training.unmeasured import unmeasured

pytestmark = pytest.mark.slow


class Observed:
    """The log of one epoch, one record for each step."""

    def __init__(self, case: Case, log_dir: Path, eager: bool = False) -> None:
        self.model = case.make()
        self.model.run_eagerly = eager
        self.callback = gradhealth.HealthCallback(log_dir, preset="full", verbose=0)
        x, y = case.data()
        options: dict[str, Any] = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
        self.model.fit(x, y, callbacks=[self.callback], **options)
        run = RunReader(open_log_dir(log_dir), None, "", ".")
        self.info = run.info()
        self.records = run.records()

    def serious(self) -> list[Finding]:
        """Findings that are more than worth knowing."""
        return [finding for finding in self.callback.findings if finding.severity != "info"]

    def values(self, signal: str) -> np.ndarray:
        """float32 `[steps, rows]`."""
        rows = len(self.info.rows.get(self.info.signals[signal].axis, "1"))
        absent = np.full((rows, 3), NOT_MEASURED)
        return np.array([record.signals.get(signal, absent)[:, 0] for record in self.records])


def assert_ratios(measured: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    """A variable that was zero has no ratio; everything else must agree."""
    known = ~np.isnan(expected)
    assert (measured[~known] == NOT_MEASURED).all()
    np.testing.assert_allclose(measured[known], expected[known], rtol=rtol)


# These do not change the weights in each step, or not by the update alone: they have tests below.
NOT_EVERY_STEP = ("accumulation", "moving average that overwrites", "mixed_float16")


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"mixed_float16"}))
def test_every_step_is_recorded_as_it_was(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    run, steps = Observed(case, tmp_path), by_hand.train(case.make(), case.data())
    rtol = 0.05 if name.startswith("mixed") else 1e-3
    assert [record.step for record in run.records] == list(range(len(steps)))
    norms = np.array([step.norms for step in steps])
    np.testing.assert_allclose(run.values("gradient_norm"), norms, rtol=rtol, atol=1e-6)
    np.testing.assert_allclose(
        run.values("gradient_global_norm")[:, 0], np.linalg.norm(norms, axis=1), rtol=rtol
    )
    np.testing.assert_allclose(run.values("loss")[:, 0], [s.loss for s in steps], rtol=rtol)
    rates = [step.learning_rate for step in steps]
    np.testing.assert_allclose(run.values("learning_rate")[:, 0], rates, rtol=1e-6)
    if name not in NOT_EVERY_STEP:
        ratios = np.array([step.ratios for step in steps])
        assert_ratios(run.values("update_ratio"), ratios, max(rtol, 3e-3))
        assert_changes(run, steps, rtol)
        assert not unmeasured(run.info.not_measured)
    assert not run.serious()


def assert_changes(run: Observed, steps: list[by_hand.Step], rtol: float) -> None:
    """What the changes of the weights say beside their size."""
    predicted = np.array([step.predicted for step in steps])
    tolerance = max(rtol, 3e-3) * np.abs(predicted).max()
    np.testing.assert_allclose(run.values("predicted_change"), predicted, atol=tolerance)
    sizes = np.array([[np.linalg.norm(before) for before in step.before] for step in steps])
    growth = sizes / np.where(sizes[0] == 0.0, np.nan, sizes[0])
    assert_ratios(run.values("weight_growth"), growth, 1e-3)
    cosines = run.values("update_cosine")
    assert (cosines[:2] == NOT_MEASURED).all()  # two changes lie between three steps
    for last, step, measured in zip(steps[1:-1], steps[2:], cosines[2:], strict=True):
        pairs = zip(last.changes, step.changes, measured, strict=True)
        for before, change, cosine in pairs:
            expected = by_hand.cosine(before, change)
            error = 0.02 if change.size <= SAMPLE else 0.3  # 1/16 is the standard error
            assert cosine == pytest.approx(expected, abs=error)


@pytest.mark.parametrize("eager", [False, True])
def test_accumulated_gradients_change_weights_only_now_and_then(
    eager: bool, tmp_path: Path
) -> None:
    case = CASES["accumulation"]
    run, steps = Observed(case, tmp_path, eager), by_hand.train(case.make(), case.data())
    ratios = run.values("update_ratio")
    assert (ratios[[0, 1, 3, 4]] == NOT_MEASURED).all()
    expected = np.array([step.ratios for step in steps])
    assert_ratios(ratios[[2, 5]], expected[[2, 5]], 3e-3)
    assert (run.values("gradient_norm") >= 0).all()
    assert not unmeasured(run.info.not_measured)


def test_overwriting_weights_by_their_average_is_no_update(tmp_path: Path) -> None:
    case = CASES["moving average that overwrites"]
    with pytest.warns(MonitorWarning, match="update_ratio on some steps.*moving average"):
        run = Observed(case, tmp_path)
    ratios = run.values("update_ratio")
    assert (ratios[[2, 5]] == NOT_MEASURED).all()
    expected = np.array([step.ratios for step in by_hand.train(case.make(), case.data())])
    assert_ratios(ratios[[0, 1, 3, 4]], expected[[0, 1, 3, 4]], 3e-3)
    assert "update_ratio on some steps" in run.info.not_measured


@pytest.mark.parametrize("eager", [False, True])
def test_a_step_that_loss_scaling_skips_has_no_gradients_and_is_no_illness(
    eager: bool, tmp_path: Path
) -> None:
    case = CASES["mixed_float16"]
    run, steps = Observed(case, tmp_path, eager), by_hand.train(case.make(), case.data())
    skipped = np.array([not np.isfinite(step.norms).all() for step in steps])
    assert 0 < skipped.sum() < len(steps)
    assert (run.values("skipped_steps")[:, 0] == skipped).all()
    for signal in ("gradient_norm", "gradient_global_norm", "update_ratio", "clip_rate"):
        assert (run.values(signal)[skipped] == NOT_MEASURED).all(), signal
    taken = [step for step, skip in zip(steps, skipped, strict=True) if not skip]
    norms = run.values("gradient_norm")[~skipped]
    np.testing.assert_allclose(norms, [step.norms for step in taken], rtol=0.05, atol=1e-4)
    ratios = np.array([step.ratios for step in taken])
    assert_ratios(run.values("update_ratio")[~skipped], ratios, 0.05)
    rates = run.values("learning_rate")[:, 0]
    np.testing.assert_allclose(rates, [step.learning_rate for step in steps], rtol=1e-6)
    assert (run.values("gradient_nonfinite") <= 0).all()
    assert not run.callback.findings
    assert not unmeasured(run.info.not_measured)
    assert run.records[0].first_nonfinite_step == -1


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("clipnorm", lambda step: step.norms.max() / 0.2),
        ("global_clipnorm", lambda step: np.linalg.norm(step.norms) / 0.5),
        ("clipvalue", lambda step: max(abs(g).max() for g in step.gradients) / 0.1),
    ],
)
def test_clipping_is_counted_where_it_acts(
    name: str, sizes: Callable[[by_hand.Step], float], tmp_path: Path
) -> None:
    case = CASES[name]
    run, steps = Observed(case, tmp_path), by_hand.train(case.make(), case.data())
    assert run.values("clip_rate")[:, 0].tolist() == [float(sizes(step) > 1.0) for step in steps]


def test_without_clipping_and_loss_scaling_nothing_is_said_of_them(tmp_path: Path) -> None:
    run = Observed(CASES["nested"], tmp_path)
    assert not {"clip_rate", "skipped_steps"} & run.records[0].signals.keys()


@pytest.mark.parametrize("eager", [False, True])
def test_two_optimizers_are_both_recorded(eager: bool, tmp_path: Path) -> None:
    run = Observed(GAN, tmp_path, eager)
    twin = GAN.make()
    critic, maker = (
        twin.critic.trainable_variables,
        twin.maker.trainable_variables,
    )
    names = [variable.path for variable in twin.trainable_variables]
    steps = []
    for x, _ in by_hand.batches(GAN.data()):
        first = by_hand.apply(twin.critic_optimizer, critic, partial(twin.critic_loss, x))
        second = by_hand.apply(twin.maker_optimizer, maker, partial(twin.maker_loss, x))
        steps.append((first, second))
    assert [row.name for row in run.info.rows["variable"]] == names
    norms = np.array([[*first.norms, *second.norms] for first, second in steps])
    np.testing.assert_allclose(run.values("gradient_norm"), norms, rtol=1e-3)
    global_norms = run.values("gradient_global_norm")[:, 0]
    np.testing.assert_allclose(global_norms, np.linalg.norm(norms, axis=1), rtol=1e-3)
    ratios = np.array([[*first.ratios, *second.ratios] for first, second in steps])
    assert_ratios(run.values("update_ratio"), ratios, 3e-3)
    losses = [first.loss for first, _ in steps]
    np.testing.assert_allclose(run.values("loss")[:, 0], losses, rtol=1e-3)
    np.testing.assert_allclose(run.values("learning_rate"), 1e-2, rtol=1e-6)  # the last applied
    assert not unmeasured(run.info.not_measured)
