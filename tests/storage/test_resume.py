"""Training that went back to a checkpoint, and layers that changed on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tensorboard_gradhealth.storage.points import Points, current, last_change
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Record, Row
from tests.logs import finding, flight, info, read_run, record, write_run


def points(*steps_and_times: tuple[int, float]) -> Points:
    steps, times = zip(*steps_and_times, strict=True) if steps_and_times else ((), ())
    return Points(np.array(steps, np.int64), np.array(times, np.float64), list(steps_and_times))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param([], [], id="empty"),
        pytest.param([(0, 1.0), (1, 2.0)], [(0, 1.0), (1, 2.0)], id="in order"),
        pytest.param([(1, 2.0), (0, 1.0)], [(0, 1.0), (1, 2.0)], id="out of order"),
        pytest.param([(3, 1.0), (3, 3.0), (3, 2.0)], [(3, 3.0)], id="same step: last written"),
        pytest.param(
            [(0, 1.0), (1, 2.0), (2, 3.0), (1, 4.0)],
            [(0, 1.0), (1, 4.0)],
            id="resumed: later steps of the past are gone",
        ),
        pytest.param([(5, 1.0), (6, 2.0), (0, 3.0)], [(0, 3.0)], id="started anew"),
        pytest.param([(0, 1.0), (1, 1.0)], [(0, 1.0), (1, 1.0)], id="clock stood still"),
    ],
)
def test_points_that_hold(
    written: list[tuple[int, float]], expected: list[tuple[int, float]]
) -> None:
    log = points(*written)
    assert current(log, log).values == expected


def test_windows_supersede_points_of_other_tags() -> None:
    rare = points((0, 1.0), (4, 5.0))
    windows = points((0, 1.0), (4, 5.0), (2, 6.0), (3, 7.0))
    assert current(rare, windows).values == [(0, 1.0)]


def test_last_change_is_where_the_value_last_differed() -> None:
    texts = Points(np.arange(4), np.arange(4) + 10.0, ["a", "b", "b", "b"])
    assert last_change(texts) == (1, 11.0)
    assert last_change(Points(np.arange(2), np.arange(2) + 10.0, ["a", "a"])) == (0, -np.inf)


def test_resumed_run_continues_where_it_resumed(tmp_path: Path) -> None:
    write_run(tmp_path, range(100))
    write_run(tmp_path, range(50, 150), value=0.5)
    reader = read_run(tmp_path)
    series = reader.series("loss")
    assert series.steps.tolist() == list(range(150))
    assert series.values[49, 0, 0] == 49
    assert series.values[50, 0, 0] == 50.5
    assert (reader.kept, reader.written, reader.last_step) == (150, 150, 149)


def test_a_window_that_reached_beyond_the_checkpoint_does_not_hold(tmp_path: Path) -> None:
    for part in ([(0, 9), (10, 19), (20, 29)], [(15, 24), (25, 34)]):
        writer = RunWriter(tmp_path)
        writer.write_info(info(), part[0][0])
        for first, last in part:
            values = record(last).signals
            writer.write_record(Record(last, first, values, written=last // 10 + 1))
            writer.write_findings([finding(last_step=last)], [], last)
        writer.close()
    reader = read_run(tmp_path)
    assert [(r.first_step, r.step) for r in reader.records()] == [(0, 9), (15, 24), (25, 34)]
    assert reader.series("loss").steps.tolist() == [9, 24, 34]


def test_findings_of_the_discarded_part_do_not_hold(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    for step in range(10):
        writer.write_record(record(step, step + 1))
        if step in (2, 9):
            writer.write_findings([finding(last_step=step)], [], step)
    writer.close()
    write_run(tmp_path, range(5, 8))
    stored = read_run(tmp_path).findings()
    assert stored is not None
    assert [item.last_step for item in stored[0]] == [2]


def test_flights_of_the_discarded_part_do_not_hold(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    for step in range(10):
        writer.write_record(record(step, step + 1))
        if step in (2, 9):
            writer.write_flight(flight(f"at {step}", first_step=step, steps=1), step)
    writer.close()
    write_run(tmp_path, range(5, 8))
    assert [item.findings for item in read_run(tmp_path).flights()] == [("at 2",)]


def test_changed_layers_start_anew_and_do_not_mix(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    for step in range(3):
        writer.write_record(record(step))
    writer.write_flight(flight("of the layers before", first_step=0, steps=3), 2)
    writer.write_info(info((Row("new"), Row("newer"), Row("newest"))), 3)
    for step in range(3, 5):
        writer.write_record(record(step, rows=3))
    writer.close()

    reader = read_run(tmp_path)
    assert reader.layers_since == 3
    assert reader.flights() == []
    assert reader.series("gradient_norm").steps.tolist() == [3, 4]
    assert reader.series("gradient_norm").values.shape == (2, 3, 3)
    assert reader.series("loss").steps.tolist() == [0, 1, 2, 3, 4]
    assert [sorted(item.signals) for item in reader.records()[2:4]] == [
        ["loss"],
        ["gradient_norm", "loss"],
    ]


def test_the_same_layers_written_again_are_no_change(tmp_path: Path) -> None:
    write_run(tmp_path, range(5))
    write_run(tmp_path, range(5, 8))
    reader = read_run(tmp_path)
    assert reader.layers_since == 0
    assert len(reader.series("gradient_norm").steps) == 8
