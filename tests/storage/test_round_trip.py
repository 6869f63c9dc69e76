"""What the writer writes, the reader gives back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2

from tensorboard_gradhealth.storage import codec
from tensorboard_gradhealth.storage.reader import list_runs, open_log_dir
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import (
    NOT_MEASURED,
    Cause,
    Evidence,
    Fix,
    Record,
    Row,
    RuleState,
    RunInfo,
    SignalSpec,
)
from tests.logs import finding, flight, info, read_run, record, write_run


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests import TensorFlow into this process; these are to run as if it were missing."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)


def test_info_survives(tmp_path: Path) -> None:
    full = RunInfo(
        rows={
            "variable": (Row("größe/kernel:0", "größe", "kernel", 32, ""),),
            "activation": (Row("a", "a", "hidden", 16, "relu"),),
            "feature": (Row("x[0]", "", "input"),),
            "class": (),
        },
        signals={
            "norm": SignalSpec("norm", "Norm", "u", "variable", scale="log", healthy=(1e-6, None)),
            "labels": SignalSpec("labels", "Labels", "", "class", ("count",), description="Both."),
        },
        facts={"optimizer": "adam", "batch_size": 32, "lr": float("inf"), "nested": {"a": [1, 2]}},
        not_measured={"sharpness": "It was not asked for."},
    )
    writer = RunWriter(tmp_path)
    writer.write_info(full, 0)
    writer.close()
    assert read_run(tmp_path).info() == full


def test_facts_of_users_objects_become_plain_values(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(RunInfo(facts={"lr": np.float32(0.5), "path": Path("a")}), 0)
    writer.close()
    assert read_run(tmp_path).info().facts == {"lr": 0.5, "path": "a"}


def test_records_survive_bit_by_bit(tmp_path: Path) -> None:
    strange = np.array(
        [[np.nan, np.inf, -np.inf], [NOT_MEASURED, -0.0, np.float32(1e-45)]], np.float32
    )
    written = [
        Record(0, 0, {"gradient_norm": strange}, 1, -1),
        Record(9, 1, {"gradient_norm": -strange, "loss": np.ones((1, 3), np.float32)}, 2, 7),
    ]
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    for item in written:
        writer.write_record(item)
    writer.close()

    got = read_run(tmp_path).records()
    assert [(r.step, r.first_step, r.written, r.first_nonfinite_step) for r in got] == [
        (0, 0, 1, -1),
        (9, 1, 2, 7),
    ]
    for before, after in zip(written, got, strict=True):
        assert set(before.signals) == set(after.signals)
        for name, values in before.signals.items():
            np.testing.assert_array_equal(
                values.view(np.uint32), after.signals[name].view(np.uint32)
            )


def test_series_has_one_point_per_record(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.write_record(record(0), wall_time=100.0)
    writer.write_record(Record(5, 1, {"loss": np.zeros((1, 3), np.float32)}), wall_time=101.0)
    writer.write_record(record(9), wall_time=102.0)
    writer.close()

    reader = read_run(tmp_path)
    norm, loss = reader.series("gradient_norm"), reader.series("loss")
    assert norm.steps.tolist() == [0, 9]
    assert norm.wall_times.tolist() == [100.0, 102.0]
    assert norm.values.shape == (2, 2, 3)
    assert norm.values[1, 1, 0] == pytest.approx(9.1)
    assert loss.steps.tolist() == [0, 5, 9]
    assert loss.first_steps.tolist() == [0, 1, 9]


def test_signal_that_was_never_written_is_an_empty_series(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.close()
    reader = read_run(tmp_path)
    assert reader.series("gradient_norm").values.shape == (0, 2, 3)
    assert reader.records() == []
    assert (reader.last_step, reader.kept, reader.written) == (-1, 0, 0)


def test_findings_survive_and_the_last_ones_hold(tmp_path: Path) -> None:
    rich = finding(
        severity="error",
        layers=("a", "b"),
        evidence=(Evidence("dead units", float("nan"), 0.5, "", "dead_fraction", 3, "a"),),
        causes=(Cause("The rate is too high.", "likely", "It is 10."),),
        fixes=(Fix("Lower it.", "lr = 1e-3"),),
        cause_of=("loss_plateau",),
        references=("A paper.",),
    )
    states = [RuleState("dead_units", "GH401", "firing"), RuleState("x", "GH1", "clean", "why")]
    writer = RunWriter(tmp_path)
    writer.write_findings([], [], 1)
    writer.write_findings([rich], states, 2)
    writer.close()

    stored = read_run(tmp_path).findings()
    assert stored is not None
    [got], got_states = stored
    assert repr(got) == repr(rich)  # NaN differs from itself, its text does not
    assert got_states == states


def test_flights_survive_bit_by_bit(tmp_path: Path) -> None:
    first, second = flight("a", "b"), flight("c", first_step=8, steps=2)
    first.signals["loss"][:3, 0] = np.nan, -np.inf, NOT_MEASURED
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    for item in (first, second):
        writer.write_record(record(item.last_step))
        writer.write_flight(item, item.last_step)
    writer.close()

    got = read_run(tmp_path).flights()
    assert [(f.findings, f.first_step, f.last_step) for f in got] == [
        (("a", "b"), 3, 7),
        (("c",), 8, 9),
    ]
    assert 0 < got[0].wall_time < got[1].wall_time
    for before, after in zip((first, second), got, strict=True):
        assert list(before.signals) == list(after.signals)
        for name, values in before.signals.items():
            np.testing.assert_array_equal(
                values.view(np.uint32), np.ascontiguousarray(after.signals[name]).view(np.uint32)
            )


def test_run_without_flights_has_none(tmp_path: Path) -> None:
    write_run(tmp_path, range(3))
    assert read_run(tmp_path).flights() == []


def test_run_without_findings_was_not_judged(tmp_path: Path) -> None:
    write_run(tmp_path, range(3))
    assert read_run(tmp_path).findings() is None


def test_runs_are_named_by_their_path(tmp_path: Path) -> None:
    for run in (".", "b", "a/deep"):
        write_run(tmp_path / run, range(2))
    (tmp_path / "c").mkdir()
    assert list(list_runs(open_log_dir(tmp_path), None, "")) == [".", "a/deep", "b"]


def test_listing_changes_when_a_run_grows(tmp_path: Path) -> None:
    write_run(tmp_path, range(3))
    before = list_runs(open_log_dir(tmp_path), None, "")
    assert before == list_runs(open_log_dir(tmp_path), None, "")
    write_run(tmp_path, [3])
    assert before != list_runs(open_log_dir(tmp_path), None, "")


def test_a_summary_without_windows_is_one_record_per_step(tmp_path: Path) -> None:
    """`gradhealth.summary` writes signals one by one, each in an event of its own."""
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    for step in (0, 5):
        for name, array in record(step).signals.items():
            summary = summary_pb2.Summary(value=[codec.signal_value(name, array)])
            writer._write(event_pb2.Event(step=step, summary=summary))
    writer.close()

    got = read_run(tmp_path).records()
    assert [(item.step, item.first_step, sorted(item.signals)) for item in got] == [
        (0, 0, ["gradient_norm", "loss"]),
        (5, 5, ["gradient_norm", "loss"]),
    ]


def test_logs_of_version_1_stay_readable() -> None:
    """A log on disk outlives the code that wrote it: this one is never written again."""
    reader = read_run(Path(__file__).parent / "version_1")
    spec = reader.info().signals["gradient_norm"]
    assert (spec.axis, spec.fields, spec.healthy) == (
        "variable",
        ("mean", "min", "max"),
        (1e-6, None),
    )
    assert [row.name for row in reader.info().rows["variable"]] == ["a/kernel", "b/kernel"]
    assert reader.info().facts == {"optimizer": "sgd"}
    records = reader.records()
    assert [(item.step, item.written) for item in records] == [(0, 1), (1, 2), (2, 3)]
    np.testing.assert_allclose(records[2].signals["gradient_norm"][:, 0], [2.0, 2.1], rtol=1e-6)
    stored = reader.findings()
    assert stored is not None
    [old], [state] = stored
    assert (old.id, old.evidence[0].limit, old.fixes[0].code) == ("dead_units", 0.5, "x = 1")
    assert state == RuleState("dead_units", "GH999", "firing")
