"""The event file itself: its name, its events, its failures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorboard_gradhealth.storage import metadata, plugin_data_pb2
from tensorboard_gradhealth.storage.codec import signal_value
from tensorboard_gradhealth.storage.writer import LogDirError, RunWriter
from tests import logs
from tests.logs import flight, info, read_run, record


@pytest.fixture(
    params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["python", "tensorflow"]
)
def tensorflow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer uses the TensorFlow that the process has imported, or else none."""
    if request.param:
        import tensorflow  # noqa: F401
    else:
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)


def events(log_dir: Path) -> list[Any]:
    [path] = log_dir.glob("*tfevents*")
    return logs.events(path)


@pytest.mark.usefixtures("tensorflow")
def test_one_event_holds_a_whole_record(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "new" / "dir")
    writer.write_info(info(), 0)
    writer.write_record(record(7))
    writer.close()
    version, _, event = events(tmp_path / "new" / "dir")
    assert version.file_version == "brain.Event:2"
    assert event.step == 7
    tags = [value.tag for value in event.summary.value]
    assert tags == ["gradhealth/gradient_norm", "gradhealth/loss", "gradhealth/_window"]


@pytest.mark.usefixtures("tensorflow")
def test_findings_can_be_seen_before_the_file_is_closed(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.write_record(record(0))
    writer.write_findings([], [], 0)
    assert read_run(tmp_path).findings() == ([], [])
    writer.close()


@pytest.mark.usefixtures("tensorflow")
def test_records_can_be_seen_after_the_flush_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.write_record(record(0))
    clock = 2.5
    writer.write_record(record(1))
    assert read_run(tmp_path).kept == 2
    writer.close()


@pytest.mark.usefixtures("tensorflow")
def test_log_dir_that_is_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "occupied"
    path.write_text("")
    with pytest.raises(LogDirError, match="occupied"):
        RunWriter(path)


def test_wall_time_increases_even_if_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([50.0, 40.0, 40.0, 60.0])
    monkeypatch.setattr("time.time", lambda: next(clock))
    writer = RunWriter(tmp_path)
    for step in range(3):
        writer.write_record(record(step))
    writer.close()
    times = [event.wall_time for event in events(tmp_path)]
    assert times[0] == 50.0
    assert times[-1] == 60.0
    assert times == sorted(set(times))


def test_files_of_a_resumed_run_are_named_in_order(tmp_path: Path) -> None:
    names = []
    for _ in range(5):
        before = set(tmp_path.glob("*tfevents*"))
        RunWriter(tmp_path).close()
        names += set(tmp_path.glob("*tfevents*")) - before
    assert names == sorted(names)
    assert len(names) == 5


def test_a_flight_is_one_event_of_its_own(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_record(record(7))
    writer.write_flight(flight("dead_units"), 7)
    writer.close()
    *_, event = events(tmp_path)
    tags = [value.tag for value in event.summary.value]
    assert (event.step, tags) == (7, ["gradhealth/_flight", "gradhealth/_flight_info"])


@pytest.mark.parametrize("step", [5, 4, 0])
def test_a_step_that_does_not_increase_is_refused(step: int, tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_record(record(5))
    with pytest.raises(ValueError, match=f"step {step} comes after that of step 5.*{tmp_path}"):
        writer.write_record(record(step))
    writer.close()
    assert [event.step for event in events(tmp_path)[1:]] == [5]


def test_signal_without_rows_is_refused_with_its_name_and_shape(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'loss' has shape \(3,\).*\[rows, fields\]"):
        signal_value("loss", np.zeros(3))


def test_metadata_is_small_because_every_event_repeats_it() -> None:
    made = metadata.create_summary_metadata(plugin_data_pb2.PluginData.SIGNAL)
    assert len(made.plugin_data.content) <= 4
    parsed = metadata.parse_plugin_metadata(made.plugin_data.content)
    assert (parsed.version, parsed.kind) == (1, plugin_data_pb2.PluginData.SIGNAL)


def test_proto_has_a_file_name_of_its_own() -> None:
    """Two plugins with a bare `plugin_data.proto` cannot be loaded into one process."""
    name = plugin_data_pb2.DESCRIPTOR.name
    assert name == "tensorboard_gradhealth/storage/plugin_data.proto"
