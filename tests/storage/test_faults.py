"""Logs that are cut off, sampled, damaged or from the future."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.data import provider
from tensorboard.util import tensor_util

from tensorboard_gradhealth.storage import codec, metadata
from tensorboard_gradhealth.storage.plugin_data_pb2 import PluginData
from tensorboard_gradhealth.storage.reader import (
    NewerLogError,
    RunReader,
    UnknownName,
    UnreadableRun,
    open_log_dir,
)
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Record, RunInfo, SignalSpec
from tests.logs import finding, flight, info, read_run, record, write_run


def write_values(log_dir: Path, *values: Any, step: int = 0) -> None:
    writer = RunWriter(log_dir)
    writer._write(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=values)))
    writer.close()


def text_value(tag: str, text: bytes, content: bytes = b"\x08\x01") -> Any:
    summary_metadata = metadata.create_summary_metadata(PluginData.FACTS)
    summary_metadata.plugin_data.content = content
    tensor = tensor_util.make_tensor_proto(text)
    return summary_pb2.Summary.Value(tag=tag, metadata=summary_metadata, tensor=tensor)


def test_missing_log_dir_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=re.escape("'/no/such/place'")):
        open_log_dir("/no/such/place")


def test_unknown_run_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, range(2))
    with pytest.raises(UnknownName, match="'nope'"):
        read_run(tmp_path, "nope")


def test_unknown_signal_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    write_run(tmp_path, range(2))
    with pytest.raises(UnknownName, match="'nope'.*gradient_norm, loss"):
        read_run(tmp_path).series("nope")


def test_truncated_file_is_read_up_to_the_damage(tmp_path: Path) -> None:
    write_run(tmp_path, range(20))
    [path] = tmp_path.glob("*tfevents*")
    path.write_bytes(path.read_bytes()[:-100])
    assert read_run(tmp_path).series("loss").steps.tolist() == list(range(19))


@pytest.mark.parametrize("damage", [b"\x00" * 40, b"\xff" * 40], ids=["zeros", "ones"])
def test_garbage_ends_the_file_not_the_run(tmp_path: Path, damage: bytes) -> None:
    write_run(tmp_path, range(20))
    [path] = tmp_path.glob("*tfevents*")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + damage + data[len(data) // 2 + len(damage) :])
    steps = read_run(tmp_path).series("loss").steps.tolist()
    assert steps == list(range(len(steps)))
    assert 0 < len(steps) < 20


def test_newer_log_asks_for_an_upgrade(tmp_path: Path) -> None:
    content = PluginData(version=metadata.VERSION + 1).SerializeToString()
    write_values(tmp_path, text_value(metadata.FACTS_TAG, b"{}", content))
    with pytest.raises(NewerLogError, match="version 2.*pip install --upgrade"):
        read_run(tmp_path)


def test_later_fields_of_the_same_version_are_ignored(tmp_path: Path) -> None:
    specs = b'{"loss": {"name": "loss", "title": "L", "unit": "", "axis": "run", "new": 1}}'
    write_values(tmp_path, text_value(metadata.SIGNALS_TAG, specs))
    assert read_run(tmp_path).info().signals["loss"].title == "L"


def test_foreign_plugin_data_is_unreadable(tmp_path: Path) -> None:
    write_values(tmp_path, text_value(metadata.FACTS_TAG, b"{}", b"\xff\xff"))
    with pytest.raises(UnreadableRun, match="not a PluginData"):
        read_run(tmp_path)


@pytest.mark.parametrize("tag", [metadata.FACTS_TAG, metadata.SIGNALS_TAG, "gradhealth/_rows/run"])
@pytest.mark.parametrize("text", [b"", b"[1", b"7", b"[[]]", b'{"a": 1}', b"\xff"])
def test_damaged_description_is_unreadable(tmp_path: Path, tag: str, text: bytes) -> None:
    write_values(tmp_path, text_value(tag, text))
    with pytest.raises(UnreadableRun, match="description of the run"):
        read_run(tmp_path).info()


@pytest.mark.parametrize("text", [b"", b"{}", b'{"findings": [{}], "states": []}'])
def test_damaged_findings_are_unreadable(tmp_path: Path, text: bytes) -> None:
    write_values(tmp_path, text_value(metadata.FINDINGS_TAG, text))
    with pytest.raises(UnreadableRun, match="_findings"):
        read_run(tmp_path).findings()


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        ([finding("a", severity="fatal")], "the severity of 'a' is 'fatal'"),
        ([finding("a"), finding("b", caused_by="a"), finding("a", caused_by="b")], "the same id"),
    ],
)
def test_findings_that_no_training_makes_are_unreadable(
    tmp_path: Path, findings: Any, reason: str
) -> None:
    write_values(tmp_path, *codec.findings_values(findings, []))
    with pytest.raises(UnreadableRun, match=reason):
        read_run(tmp_path).findings()


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 3)), np.zeros((2, 2)), np.zeros(6), np.zeros(()), np.zeros((2, 3, 1))],
    ids=lambda array: str(array.shape),
)
def test_values_that_do_not_fit_their_description_are_unreadable(
    tmp_path: Path, array: Any
) -> None:
    value = codec.signal_value("gradient_norm", np.zeros((2, 3)))
    value.tensor.CopyFrom(tensor_util.make_tensor_proto(array.astype(np.float32)))
    write_values(tmp_path, *codec.info_values(info()), value)
    with pytest.raises(UnreadableRun, match="gradient_norm"):
        read_run(tmp_path).series("gradient_norm")


@pytest.mark.parametrize(
    ("about", "array"),
    [
        (b"", np.zeros((5, 3))),
        (b"{}", np.zeros((5, 3))),
        (b'{"findings": ["a"], "first_step": 0, "signals": {"loss": 2}}', np.zeros((5, 3))),
        (b'{"findings": ["a"], "first_step": 0, "signals": {"loss": 3}}', np.zeros(3)),
        (b'{"findings": ["a"], "first_step": 0, "signals": {"loss": -1}}', np.zeros((5, 3))),
    ],
)
def test_damaged_flights_are_unreadable(about: bytes, array: Any, tmp_path: Path) -> None:
    values = codec.flight_values(flight("a"))
    values[0].tensor.CopyFrom(tensor_util.make_tensor_proto(array.astype(np.float32)))
    values[1].tensor.CopyFrom(tensor_util.make_tensor_proto(about))
    write_values(tmp_path, *codec.info_values(info()), *values)
    with pytest.raises(UnreadableRun, match="_flight"):
        read_run(tmp_path).flights()


def test_tensor_with_missing_bytes_is_unreadable(tmp_path: Path) -> None:
    value = codec.signal_value("gradient_norm", np.zeros((2, 3)))
    value.tensor.tensor_content = value.tensor.tensor_content[:-1]
    write_values(tmp_path, *codec.info_values(info()), value)
    with pytest.raises(UnreadableRun, match="gradient_norm"):
        read_run(tmp_path).series("gradient_norm")


@pytest.mark.parametrize("numbers", [np.zeros(1), np.zeros(4, np.complex128), np.zeros(4, bool)])
def test_damaged_window_is_unreadable(numbers: Any, tmp_path: Path) -> None:
    value = codec.record_values(record(0))[-1]
    assert value.tag == metadata.WINDOW_TAG
    value.tensor.CopyFrom(tensor_util.make_tensor_proto(numbers))
    write_values(tmp_path, value)
    with pytest.raises(UnreadableRun, match="_window"):
        read_run(tmp_path).records()


def test_classes_may_be_met_one_after_another(tmp_path: Path) -> None:
    spec = SignalSpec("label_counts", "Labels", "", "class", ("count",))
    writer = RunWriter(tmp_path)
    writer.write_info(RunInfo(signals={"label_counts": spec}), 0)
    for step, classes in enumerate([2, 2, 3]):
        writer.write_record(Record(step, step, {"label_counts": np.ones((classes, 1), np.float32)}))
    writer.close()
    series = read_run(tmp_path).series("label_counts")
    assert series.steps.tolist() == [2]
    assert series.values.shape == (1, 3, 1)


class SampledProvider:
    """Keeps other points of each tag, as a server does for tags of different lengths."""

    def __init__(self, log_dir: Path, kept: dict[str, set[int]]) -> None:
        self._inner = open_log_dir(log_dir)
        self._kept = kept

    def list_tensors(self, ctx: Any, **arguments: Any) -> Any:
        return self._inner.list_tensors(ctx, **arguments)

    def read_tensors(self, ctx: Any, **arguments: Any) -> dict[str, Any]:
        def sample(tag: str, data: list[provider.TensorDatum]) -> list[provider.TensorDatum]:
            return [item for item in data if item.step in self._kept.get(tag, {item.step})]

        runs = self._inner.read_tensors(ctx, **arguments)
        return {run: {t: sample(t, d) for t, d in tags.items()} for run, tags in runs.items()}


def test_a_flight_whose_description_was_sampled_away_is_left_out(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    for step in (4, 9):
        writer.write_record(record(step))
        writer.write_flight(flight(str(step), first_step=step, steps=1), step)
    writer.close()
    kept = {metadata.FLIGHT_INFO_TAG: {9}}
    flights = RunReader(SampledProvider(tmp_path, kept), None, "", ".").flights()
    assert [item.findings for item in flights] == [("9",)]


def test_sampled_points_join_the_next_record_that_was_kept(tmp_path: Path) -> None:
    write_run(tmp_path, range(10))
    kept = {metadata.WINDOW_TAG: {4, 9}, "gradhealth/loss": {2, 6, 9}}
    reader = RunReader(SampledProvider(tmp_path, kept), None, "", ".")
    records = reader.records()
    assert [(item.step, item.signals["loss"][0, 0]) for item in records] == [(4, 2), (9, 9)]
    assert (reader.kept, reader.written) == (2, 10)
