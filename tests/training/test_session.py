"""The host's side of a training: a bounded log, kept single steps, trainings that go on."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorboard_gradhealth.rules import Rule, Sign, View
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.storage.writer import LogDirError
from tensorboard_gradhealth.training.device.recorder import Slot
from tensorboard_gradhealth.training.guard import Guard, MonitorWarning
from tensorboard_gradhealth.training.host.flight_recorder import FLIGHT_STEPS, MAX_FLIGHTS
from tensorboard_gradhealth.training.host.past import join
from tensorboard_gradhealth.types import NOT_MEASURED, Evidence, Row, Severity
from tests.logs import events, read_run
from tests.training.synthetic import Training


def _large_loss(view: View) -> Sign | None:
    loss = float(view.latest("loss", "max")[0])
    if not loss > 10:
        return None
    severity: Severity = "error" if loss > 100 else "info"
    return Sign(severity, "The loss is large", (Evidence("loss", loss, 10),))


def _small_norm(view: View) -> Sign | None:
    norm = float(view.latest("gradient_norm", "min").min())
    if not norm < 1e-20:
        return None
    return Sign("warning", "A gradient is small", (Evidence("norm", norm, 1e-20),))


LARGE_LOSS = Rule("large_loss", "GH601", "loss", _large_loss, ("loss",), clear=1, inhibited_by=())
SMALL_NORM = Rule("small_norm", "GH501", "gradient", _small_norm, ("gradient_norm",), clear=1)


def losses(training: Training, *values: float) -> Any:
    """Steps that are healthy but for the loss."""
    rows = training.healthy(len(values))
    rows[:, training.column("loss")] = values
    return rows


def test_a_million_steps_stay_in_the_budget_and_hide_nothing(tmp_path: Path) -> None:
    training = Training(tmp_path, capacity=5_000)
    healthy = training.healthy(4_000)
    for part in range(250):
        rows = healthy.copy() if part in (100, 200) else healthy
        if part == 100:
            rows[1_234, training.column("gradient_norm")] = 77.0
            rows[2_345, training.column("weight_rms")] = -5.0
        if part == 200:
            rows[567, training.column("loss")] = np.nan
        training.take(rows, at_once=4_000)
    training.session.finish()

    run = read_run(tmp_path)
    assert run.last_step == 999_999
    assert run.written == run.kept <= 1_500
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3_000_000
    assert np.nanmax(run.series("gradient_norm").values[:, 0, 2]) == 77.0
    assert np.nanmin(run.series("weight_rms").values[:, 0, 1]) == -5.0
    records = run.records()
    assert records[-1].first_nonfinite_step == 800_567
    assert [r.step for r in records if np.isnan(r.signals["loss"][0, 0])] == [800_567]
    assert {r.first_nonfinite_step for r in records if r.step < 800_567} == {-1}


def test_a_record_leaves_out_what_was_sampled_at_none_of_its_steps(tmp_path: Path) -> None:
    training = Training(tmp_path)
    rows = training.healthy(71)
    for name in ("weight_rms", "gradient_norm"):  # the former is sampled, the latter never left out
        rows[51:61, training.ring.slots[name].columns] = NOT_MEASURED
    training.take(rows)
    training.session.finish()
    at = {record.step: set(record.signals) for record in read_run(tmp_path).records()}
    assert at[70] - at[60] == {"weight_rms"}


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_a_flight_holds_each_of_the_last_steps_before_a_finding(
    at_once: int, tmp_path: Path
) -> None:
    training = Training(tmp_path, layers=2, rules=[LARGE_LOSS])
    rows = losses(training, *range(200))
    rows[:, training.column("loss")] /= 1.5  # passes 100, an error, at step 151
    rows[140, training.ring.slots["gradient_norm"].columns] = [1, 2, 3, 4]
    training.take(rows, at_once)
    training.session.finish()

    [flight] = read_run(tmp_path).flights()
    assert flight.findings == ("large_loss",)
    assert flight.last_step - flight.first_step + 1 == FLIGHT_STEPS
    steps = np.arange(flight.first_step, flight.last_step + 1)
    assert 151 in steps
    np.testing.assert_array_equal(
        flight.signals["loss"][:, 0], rows[steps, training.column("loss")]
    )
    assert flight.signals["gradient_norm"][140 - flight.first_step].tolist() == [1, 2, 3, 4]
    assert flight.last_step in [record.step for record in read_run(tmp_path).records()]
    assert flight.wall_time > 0


def test_the_flight_of_a_nan_ends_where_it_appeared(tmp_path: Path) -> None:
    training = Training(tmp_path)
    rows = training.healthy(500)
    rows[333:, training.column("loss")] = np.nan
    training.take(rows, at_once=50)
    [flight] = read_run(tmp_path).flights()
    assert (flight.findings, flight.last_step) == (("nonfinite_values",), 333)
    assert np.flatnonzero(np.isnan(flight.signals["loss"][:, 0])).tolist() == [63]


def test_a_finding_at_the_first_steps_has_a_short_flight(tmp_path: Path) -> None:
    training = Training(tmp_path, rules=[LARGE_LOSS])
    training.take(losses(training, 1, 2, 500, 3), at_once=4)
    [flight] = read_run(tmp_path).flights()
    assert flight.signals["loss"][:, 0].tolist() == [1, 2, 500]


def test_info_takes_no_flight_and_the_number_of_flights_is_bounded(tmp_path: Path) -> None:
    training = Training(tmp_path, rules=[LARGE_LOSS], budget=10**6)
    training.take(losses(training, 1, 50, 50, 1))
    training.session.finish()
    assert read_run(tmp_path).flights() == []
    # Each return of a problem must hold twice as long, up to 16 records of 10 steps in a row.
    for _ in range(MAX_FLIGHTS + 2):
        training.take(losses(training, *[1] * 20, *[500] * 200))
    training.session.finish()
    flights = read_run(tmp_path).flights()
    assert len(flights) == MAX_FLIGHTS
    assert len({name for flight in flights for name in flight.findings}) == MAX_FLIGHTS
    assert len(training.printed) > MAX_FLIGHTS


def test_steps_that_were_lost_are_in_no_flight(tmp_path: Path) -> None:
    training = Training(tmp_path, rules=[LARGE_LOSS])
    training.take(losses(training, *[1] * 100))
    training.session.read()
    training.ring.read_steps += 30
    training.take(losses(training, 2, 500, *[3] * 20))
    training.session.finish()
    [flight] = read_run(tmp_path).flights()
    assert flight.first_step == 130


def test_a_second_fit_goes_on_in_the_same_log(tmp_path: Path) -> None:
    training = Training(tmp_path, rules=[LARGE_LOSS])
    for _ in range(2):
        training.take(losses(training, *[1] * 75))
        training.session.finish()
    steps = [(record.first_step, record.step) for record in read_run(tmp_path).records()]
    assert steps[:51] == [(i, i) for i in range(51)]
    assert steps[51:] == [(51, 60), (61, 70), (71, 74), *((i, i + 9) for i in range(75, 145, 10)),
                          (145, 149)]  # fmt: skip
    assert [record.written for record in read_run(tmp_path).records()] == list(range(1, 63))


def test_no_tag_gets_two_events_at_one_step(tmp_path: Path) -> None:
    training = Training(tmp_path, rules=[LARGE_LOSS, SMALL_NORM])
    for _ in range(3):
        training.take(losses(training, *[1] * 30, *[500] * 40))
        training.session.finish()
        training.session.finish()
    [path] = tmp_path.glob("*tfevents*")
    steps: dict[str, list[int]] = {}
    for event in events(path):
        for value in event.summary.value:
            steps.setdefault(value.tag, []).append(event.step)
    assert {"gradhealth/_findings", "gradhealth/_flight", "gradhealth/loss"} <= steps.keys()
    for tag, at in steps.items():
        assert at == sorted(set(at)), tag


def test_findings_of_one_record_share_a_flight(tmp_path: Path) -> None:
    training = Training(tmp_path, rules=[LARGE_LOSS, SMALL_NORM])
    rows = losses(training, *[1] * 80, *[500] * 20)
    rows[80:, training.ring.slots["gradient_norm"].columns] = 1e-30
    training.take(rows)
    training.session.finish()
    [flight] = read_run(tmp_path).flights()
    assert sorted(flight.findings) == ["large_loss", "small_norm"]


def test_thousands_of_short_fits_stay_in_the_budget(tmp_path: Path) -> None:
    training = Training(tmp_path, rules=[LARGE_LOSS])
    for _ in range(5_000):
        training.take(losses(training, *[1] * 3), at_once=3)
        training.session.finish()
    assert read_run(tmp_path).kept < 1_500
    assert read_run(tmp_path).last_step > 14_500


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = Training(tmp_path / "whole", rules=[LARGE_LOSS], budget=200)
    rows = losses(whole, *rng.choice([1, 50, 500], 5_000, p=[0.98, 0.01, 0.01]))
    whole.take(rows, at_once=10)

    first = Training(tmp_path / "parts", rules=[LARGE_LOSS], budget=200)
    first.take(rows, at_once=10)  # killed: neither finished nor closed
    first.session._writer.flush()
    records = read_run(tmp_path / "parts").records()
    checkpoint = records[100].step + 1
    second = Training(tmp_path / "parts", rules=[LARGE_LOSS], budget=200, first_step=checkpoint)
    second.take(rows[checkpoint:], at_once=10)
    for training in (whole, second):
        training.session.finish()

    expected, got = read_run(tmp_path / "whole"), read_run(tmp_path / "parts")
    summary = [(r.first_step, r.step, r.written) for r in expected.records()]
    assert [(r.first_step, r.step, r.written) for r in got.records()] == summary
    assert second.session.findings == whole.session.findings
    assert [f.findings for f in got.flights()] == [f.findings for f in expected.flights()]
    assert got.written == got.kept


def test_a_checkpoint_within_a_window_leaves_no_step_twice(tmp_path: Path) -> None:
    first = Training(tmp_path, rules=[LARGE_LOSS])
    first.take(losses(first, *[1] * 150))
    first.session.finish()
    second = Training(tmp_path, rules=[LARGE_LOSS], first_step=105)
    second.take(losses(second, *[1] * 100))
    second.session.finish()
    run = read_run(tmp_path)
    steps = [s for r in run.records() for s in range(r.first_step, r.step + 1)]
    assert steps == [*range(101), *range(105, 205)]
    assert run.written == run.kept


def test_a_resumed_run_keeps_its_first_nonfinite_step_and_its_counts(tmp_path: Path) -> None:
    first = Training(tmp_path)
    classes = {str(i): Row(str(i), role="label") for i in range(2)}
    first.instrument.rows["class"] = classes
    first.instrument.running["label_counts"] = np.array([[30], [70]], np.float32)
    rows = first.healthy(100)
    rows[40, first.column("loss")] = np.inf
    first.take(rows)
    first.session.finish()

    second = Training(tmp_path, first_step=100)
    second.instrument.rows["class"] = classes
    second.instrument.running["label_counts"] = np.array([[5], [5]], np.float32)
    second.take(second.healthy(20))
    second.session.finish()
    run = read_run(tmp_path)
    assert run.records()[-1].first_nonfinite_step == 40
    assert run.series("label_counts").values[-1, :, 0].tolist() == [35, 75]
    assert [finding.id for finding in second.session.findings] == ["nonfinite_values"]
    assert not [text for text in second.printed if "nonfinite_values" in text]  # told before


def test_other_layers_are_another_network_with_findings_of_its_own(tmp_path: Path) -> None:
    first = Training(tmp_path, layers=1, rules=[LARGE_LOSS])
    first.take(losses(first, *[500] * 100))
    first.session.finish()
    second = Training(tmp_path, layers=2, rules=[LARGE_LOSS], first_step=100)
    second.take(losses(second, *[1] * 20))
    second.session.finish()
    assert second.session.findings == []
    assert read_run(tmp_path).series("gradient_norm").steps.tolist() == [109, 119]


def test_signals_that_mean_something_else_now_are_not_judged_again(tmp_path: Path) -> None:
    first = Training(tmp_path, rules=[LARGE_LOSS])
    first.session._signals["loss"] = dataclasses.replace(
        first.session._signals["loss"], fields=("mean", "low", "high")
    )
    first.take(losses(first, *[1] * 60))
    first.session.finish()
    second = Training(tmp_path, rules=[LARGE_LOSS], first_step=60)
    second.take(losses(second, *[500] * 20))
    assert [finding.first_step for finding in second.session.findings] == [60]


def test_a_remote_log_is_resumed_too() -> None:
    import tensorflow as tf

    log_dir = "ram://logs/run"
    tf.io.gfile.makedirs(log_dir)
    first = Training(log_dir, rules=[LARGE_LOSS])
    first.take(losses(first, *[500] * 60))
    first.session.finish()
    second = Training(log_dir, rules=[LARGE_LOSS], first_step=60)
    second.take(losses(second, *[1] * 10))
    second.session.finish()
    assert second.printed == []
    assert [finding.id for finding in second.session.findings] == ["large_loss"]
    run = RunReader(open_log_dir(log_dir), None, "", ".")
    assert (run.written, run.last_step) == (53, 69)


def test_a_run_that_starts_again_at_step_0_owes_nothing_to_the_log(tmp_path: Path) -> None:
    for _ in range(2):
        training = Training(tmp_path, rules=[LARGE_LOSS])
        training.take(losses(training, *[500] * 60))
        training.session.finish()
    run = read_run(tmp_path)
    assert [record.written for record in run.records()] == list(range(1, 53))
    told, finding = training.printed
    assert "replaces" in told and "large_loss" in finding


def test_a_log_that_cannot_be_read_is_started_anew_and_said_so(tmp_path: Path) -> None:
    first = Training(tmp_path, rules=[LARGE_LOSS])
    first.take(losses(first, *[1] * 60))
    first.session._write_info(60)
    [path] = tmp_path.glob("*tfevents*")
    damaged = path.read_bytes().replace(b'"signals"', b'"?ignals"').replace(b'"facts"', b'"?acts"')
    first.session._writer.close()
    path.write_bytes(damaged)
    second = Training(tmp_path, rules=[LARGE_LOSS], first_step=60)
    second.take(losses(second, *[1] * 5))
    assert len(second.printed) == 1
    assert str(tmp_path) in second.printed[0] and "started anew" in second.printed[0]


def test_columns_that_an_eager_step_adds_later_are_logged_from_then_on(tmp_path: Path) -> None:
    training = Training(tmp_path, rules=[LARGE_LOSS])
    training.take(losses(training, *[1] * 55))
    training.session.read()
    row = Row("late", "late", "kernel")
    training.instrument.rows["variable"]["late"] = row
    training.ring.slots["late"] = Slot("gradient_norm", ("late",), training.columns)
    wider = np.append(losses(training, *[1] * 20), np.full((20, 1), 9, np.float32), axis=1)
    training.take(wider)
    training.session.finish()
    norms = read_run(tmp_path).series("gradient_norm")
    assert norms.steps.tolist() == [54, 64, 74]
    assert norms.values[:, -1, 0].tolist() == [NOT_MEASURED, 9, 9]
    assert read_run(tmp_path).series("loss").steps.tolist() == [*range(51), 54, 64, 74]


def test_a_rule_that_fails_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    def check(view: View) -> Sign | None:
        if view.scalar("loss") == 3:
            raise ZeroDivisionError("bad luck")
        return None

    broken = Rule("broken", "GH602", "loss", check, ("loss",))
    training = Training(tmp_path, rules=[broken, LARGE_LOSS])
    training.take(losses(training, 1, 2, 3, 500, 1))
    training.session.finish()
    stored = read_run(tmp_path).findings()
    assert stored is not None
    assert [finding.id for finding in stored[0]] == ["large_loss"]
    assert {state.rule: state.reason for state in stored[1]}["broken"].endswith("bad luck")
    assert read_run(tmp_path).last_step == 4


def test_of_two_trainings_in_one_directory_the_newer_one_is_logged(tmp_path: Path) -> None:
    older, newer = (Training(tmp_path, rules=[LARGE_LOSS]) for _ in range(2))
    older.take(losses(older, 1))
    newer.take(losses(newer, 1))
    with pytest.raises(LogDirError, match=f"{tmp_path}.*directory of its own"):
        older.take(losses(older, 1))
    newer.take(losses(newer, 1))
    newer.session.finish()
    assert read_run(tmp_path).last_step == 1
    next_one = Training(tmp_path, rules=[LARGE_LOSS], first_step=2)
    next_one.take(losses(next_one, 1))
    next_one.session.finish()
    assert read_run(tmp_path).last_step == 2


def test_a_directory_that_is_taken_costs_one_report(tmp_path: Path) -> None:
    older, newer = (Training(tmp_path, rules=[LARGE_LOSS]) for _ in range(2))
    older.take(losses(older, 1))
    newer.take(losses(newer, 1))
    guard = Guard()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            with guard.protect("the run"):
                older.take(losses(older, 1))
    assert [w.category for w in caught] == [MonitorWarning]
    assert str(tmp_path) in str(caught[0].message)


def test_joined_statistics_are_those_of_all_samples() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(5, 2, (30, 3)), rng.normal(-1, 9, (50, 3))
    fields = ("count", "mean", "std", "min", "max", "nonfinite")

    def statistics(x: Any) -> Any:
        full = np.full(x.shape[1], len(x))
        parts = [full, x.mean(0), x.std(0), x.min(0), x.max(0), full * 0 + 1]
        return np.stack(parts, axis=1).astype(np.float32)

    expected = statistics(np.concatenate([a, b]))
    expected[:, 5] = 2
    np.testing.assert_allclose(join(statistics(a), statistics(b), fields), expected, rtol=1e-5)


def test_statistics_of_no_samples_change_nothing() -> None:
    fields = ("count", "mean", "std", "min", "max", "nonfinite")
    some = np.array([[2, 5, 1, 4, 6, 0]], np.float32)
    none = np.zeros((1, 6), np.float32)
    np.testing.assert_array_equal(join(some, none, fields), some)
    np.testing.assert_array_equal(join(none, some, fields), some)


def test_what_is_learnt_while_a_training_runs_can_be_read_before_it_ends(tmp_path: Path) -> None:
    training = Training(tmp_path, layers=2)
    training.take(training.healthy(5))
    training.session.facts["stability_limit"] = "Adam: 38 / learning rate"
    training.session.not_measured["stability_margin"] = "half of the units are dead"
    training.take(training.healthy(5))

    info = read_run(tmp_path).info()
    assert info.facts["stability_limit"] == "Adam: 38 / learning rate"
    assert info.not_measured["stability_margin"] == "half of the units are dead"
