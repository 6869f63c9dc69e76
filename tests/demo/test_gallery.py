"""The gallery is diagnosed right, whatever the seed, and healthy trainings stay silent."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import keras
import numpy as np
import pytest

import tensorboard_gradhealth as gradhealth
from demo import article, edge_of_stability, healthy, illnesses, more
from demo._run import DemoRun, Illness
from tensorboard_gradhealth.diagnosis import open_run
from tensorboard_gradhealth.rules import replay
from tensorboard_gradhealth.training.looks.cadence import ShareCadence
from tensorboard_gradhealth.types import Finding
from tests.logs import read_run

SEEDS = range(5)

pytestmark = pytest.mark.slow


def train(run: DemoRun, seed: int, log_dir: Path) -> list[Finding]:
    keras.backend.clear_session()
    callback = gradhealth.HealthCallback(log_dir, verbose=0, **run.options)
    run.train([callback], seed)
    assert not callback._guard.reports
    assert gradhealth.diagnose(log_dir) == callback.findings
    agree(log_dir, callback.findings)
    return callback.findings


def agree(log_dir: Path, live: list[Finding]) -> None:
    """What the rules say of the log is what they said during training."""
    reader = open_run(log_dir)
    found, _ = replay(reader.info(), reader.records())
    # As text, because a NaN in the evidence is not equal to itself.
    assert repr([dataclasses.replace(f, origin="live") for f in found]) == repr(live)


def expect(run: DemoRun, findings: list[Finding]) -> None:
    if not run.root_cause:
        assert [f for f in findings if f.severity != "info"] == []
        return
    assert findings[0].rule == run.root_cause
    assert findings[0].caused_by == ""
    told = {finding.rule: finding for finding in findings}
    for consequence in run.consequences:
        assert told[consequence].caused_by == findings[0].id


@pytest.mark.parametrize("seed", SEEDS[:3])
@pytest.mark.parametrize("run", healthy.RUNS, ids=lambda run: run.name)
def test_healthy_runs_learn_and_are_silent(run: DemoRun, seed: int, tmp_path: Path) -> None:
    expect(run, train(run, seed, tmp_path))
    loss = read_run(tmp_path).series("loss").values[:, 0, 0]
    assert loss[-1] < 0.5 * loss[0]


ONCE = illnesses.ILLNESSES + more.ILLNESSES


@pytest.mark.parametrize(
    ("illness", "seed"),
    [*itertools.product(article.ILLNESSES, SEEDS), *((illness, 0) for illness in ONCE)],
    ids=lambda value: value.name if isinstance(value, Illness) else str(value),
)
def test_the_fix_that_the_finding_names_makes_it_go_away(
    illness: Illness, seed: int, tmp_path: Path
) -> None:
    findings = train(illness.sick, seed, tmp_path / "sick")
    expect(illness.sick, findings)
    assert any(illness.fix in fix.code for fix in findings[0].fixes)
    expect(illness.fixed, train(illness.fixed, seed, tmp_path / "fixed"))


def test_sharpness_tells_why_no_learning_rate_fits_unscaled_inputs(tmp_path: Path) -> None:
    sharpness = {}
    for run in article.RUNS[:2]:
        train(run, 2, tmp_path / run.name)
        values = read_run(tmp_path / run.name).series("hessian_top_eigenvalue").values
        sharpness[run.name] = float(values[-1, 0, 0])
    assert sharpness["scaling/sick"] > 1e4
    assert sharpness["scaling/fixed"] < 10.0


@pytest.fixture
def looks_at_every_20th_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Curvature is looked at as often as it can be, however busy the machine is."""
    monkeypatch.setattr(ShareCadence, "due", lambda self, step: step >= self._next)


def margins(log_dir: Path) -> np.ndarray:
    """Returns the recorded stability margins, float32 `[probes]`."""
    return np.asarray(read_run(log_dir).series("stability_margin").values[:, 0, 0])


@pytest.mark.usefixtures("looks_at_every_20th_step")
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_sharpness_rises_to_the_edge_of_stability_and_stays_there(
    seed: int, tmp_path: Path
) -> None:
    [run] = edge_of_stability.RUNS
    expect(run, train(run, seed, tmp_path))
    found = margins(tmp_path)
    assert (found[:3] < 0.7).all()
    assert np.median(found[-6:]) == pytest.approx(1.1, abs=0.15)
    assert found.max() < 1.5


@pytest.mark.usefixtures("looks_at_every_20th_step")
@pytest.mark.parametrize(("later", "expected"), [(0.2, []), (1.0, ["unstable_step"])])
def test_a_rate_stepped_up_beyond_the_edge_is_told_from_the_same_run_without(
    later: float, expected: list[str], tmp_path: Path
) -> None:
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([200], [0.2, later])
    callback = gradhealth.HealthCallback(tmp_path, verbose=0, **edge_of_stability.RUNS[0].options)
    edge_of_stability.full_batch([callback], 0, rate, steps=300)
    began = {finding.rule: finding.first_step >= 200 for finding in callback.findings}
    assert began == dict.fromkeys(expected, True)
