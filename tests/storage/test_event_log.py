"""A log is followed as it grows: what was read is not read again, and nothing is made up."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2

from tensorboard_gradhealth.storage import files, metadata
from tensorboard_gradhealth.storage.frames import ValueParser
from tensorboard_gradhealth.storage.local import LocalProvider
from tensorboard_gradhealth.storage.reader import RunReader, UnreadableRun
from tensorboard_gradhealth.storage.writer import RunWriter
from tests.logs import info, record, write_run


def log_file(log_dir: Path) -> Path:
    [path] = log_dir.glob("*tfevents*")
    return path


def steps(provider: LocalProvider, signal: str = "loss") -> list[int]:
    return RunReader(provider, None, "", ".").series(signal).steps.tolist()


def watch_decoding(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Returns a list to which every value is added that is decoded from now on."""
    decoded: list[bytes] = []
    parse = ValueParser.parse

    def watched(self: ValueParser, value: bytes) -> Any:
        decoded.append(value)
        return parse(self, value)

    monkeypatch.setattr(ValueParser, "parse", watched)
    return decoded


def test_a_log_that_grows_byte_by_byte_is_followed(tmp_path: Path) -> None:
    """Whatever part of an event is on disk, what came before it is there, and it comes whole."""
    write_run(tmp_path / "whole", range(4))
    data = log_file(tmp_path / "whole").read_bytes()
    provider = LocalProvider(tmp_path / "part")
    (tmp_path / "part").mkdir()
    seen = []
    first = data.index(metadata.WINDOW_TAG.encode()) + 200  # the first record is there
    with open(tmp_path / "part" / "events.out.tfevents.1", "wb") as file:
        for start in range(0, len(data), 37):
            file.write(data[start : start + 37])
            file.flush()
            if start > first:
                seen.append(steps(provider))
    assert seen[-1] == [0, 1, 2, 3]
    assert all(a == b[: len(a)] for a, b in itertools.pairwise(seen))
    assert {len(item) for item in seen} == {1, 2, 3, 4}


def test_only_what_is_new_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, range(50))
    provider = LocalProvider(tmp_path)
    held = RunReader(provider, None, "", ".")
    held.series("gradient_norm")
    decoded = watch_decoding(monkeypatch)
    write_run(tmp_path, range(50, 53))
    assert len(RunReader(provider, None, "", ".").series("gradient_norm").steps) == 53
    norms = [value for value in decoded if b"gradhealth/gradient_norm" in value]
    assert len(norms) == 3


def test_a_signal_is_counted_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, range(50))
    reader = RunReader(LocalProvider(tmp_path), None, "", ".")
    decoded = watch_decoding(monkeypatch)
    assert reader.count("gradient_norm") == 50
    assert len([v for v in decoded if b"gradhealth/gradient_norm" in v]) == 1


def test_an_earlier_look_stays_what_it_was(tmp_path: Path) -> None:
    write_run(tmp_path, range(5))
    provider = LocalProvider(tmp_path)
    before = RunReader(provider, None, "", ".")
    write_run(tmp_path, range(5, 9))
    after = RunReader(provider, None, "", ".")
    assert after.series("loss").values.shape == (9, 1, 3)
    assert before.series("loss").values.shape == (5, 1, 3)
    np.testing.assert_array_equal(before.series("loss").values, after.series("loss").values[:5])


def test_every_look_at_a_log_that_grows_by_single_records_keeps_its_numbers(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    provider, looks = LocalProvider(tmp_path), []
    for step in range(40):
        writer.write_record(record(step, step + 1))
        writer.flush()
        looks.append(RunReader(provider, None, "", ".").series("loss"))
    writer.close()
    for count, look in enumerate(looks, start=1):
        assert look.values[:, 0, 0].tolist() == list(range(count))


def test_a_log_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    write_run(tmp_path / "long", range(20))
    write_run(tmp_path / "short", range(100, 105))
    shutil.copy(log_file(tmp_path / "long"), tmp_path / "events.out.tfevents.1")
    provider = LocalProvider(tmp_path)
    held = RunReader(provider, None, "", ".")
    assert held.series("loss").steps.tolist() == list(range(20))
    shutil.copy(log_file(tmp_path / "short"), tmp_path / "events.out.tfevents.1")
    assert steps(provider) == list(range(100, 105))


def test_a_log_directory_may_come_later_and_go(tmp_path: Path) -> None:
    provider = LocalProvider(tmp_path / "later")
    assert provider.state(".") is None
    write_run(tmp_path / "later", range(3))
    assert provider.state(".") is not None
    assert steps(provider) == [0, 1, 2]
    shutil.rmtree(tmp_path / "later")
    assert provider.state(".") is None


def test_what_others_wrote_into_the_file_is_passed_over(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    for step in range(5):
        value = summary_pb2.Summary.Value(tag="gradhealth/mine?", simple_value=1.0)
        strange = summary_pb2.Summary.Value(tag="accuracy", simple_value=0.5)
        summary = summary_pb2.Summary(value=[value, strange])
        writer._write(event_pb2.Event(step=step, summary=summary))
        writer._write(event_pb2.Event(step=step, graph_def=b"\xff" * 50))
        writer.write_record(record(step, step + 1))
    writer.close()
    provider = LocalProvider(tmp_path)
    assert steps(provider) == list(range(5))
    assert not {"gradhealth/mine?", "accuracy"} & set(provider.tags(".").names)


def test_steps_before_zero_stay_what_they_are(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), -3)
    value = summary_pb2.Summary(value=event_values())
    writer._write(event_pb2.Event(step=-3, summary=value))
    writer.close()
    assert steps(LocalProvider(tmp_path)) == [-3]


def event_values() -> list[object]:
    from tensorboard_gradhealth.storage import codec

    return [codec.signal_value("loss", np.ones((1, 3), np.float32))]


def test_a_file_that_cannot_be_opened_is_a_run_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> Any:
        raise PermissionError(13, "Permission denied", path)

    write_run(tmp_path, range(3))
    monkeypatch.setattr(files, "open_file", refuse)
    with pytest.raises(UnreadableRun, match="event files.*Permission denied"):
        RunReader(LocalProvider(tmp_path), None, "", ".")


def test_a_directory_that_is_gone_has_no_files(tmp_path: Path) -> None:
    assert files.event_files(str(tmp_path / "nope")) == {}
