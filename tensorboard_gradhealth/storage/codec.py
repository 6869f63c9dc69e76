"""Turns runs, records and findings into summary values, and their JSON parts back.

The arrays need no decoding of their own: TensorBoard's data provider hands them out.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2

from tensorboard_gradhealth.storage import metadata
from tensorboard_gradhealth.storage.plugin_data_pb2 import PluginData
from tensorboard_gradhealth.types import (
    SEVERITIES,
    Axis,
    Finding,
    Flight,
    Json,
    Record,
    Row,
    RuleState,
    RunInfo,
    SignalSpec,
    finding_from_json,
    finding_to_json,
)

T = TypeVar("T")

_METADATA = {
    kind: metadata.create_summary_metadata(kind)
    for kind in (
        PluginData.SIGNAL,
        PluginData.WINDOW,
        PluginData.ROWS,
        PluginData.SIGNALS,
        PluginData.FACTS,
        PluginData.FINDINGS,
        PluginData.FLIGHT,
        PluginData.FLIGHT_INFO,
    )
}


def record_values(record: Record) -> list[Any]:
    """Returns one `Summary.Value` per signal of the record, and one for its window."""
    window = [
        record.first_step,
        record.step - record.first_step + 1,
        record.written,
        record.first_nonfinite_step,
    ]
    values = [signal_value(name, array) for name, array in record.signals.items()]
    tensor = _array_tensor(np.array(window, np.float64), types_pb2.DT_DOUBLE)
    values.append(_value(metadata.WINDOW_TAG, PluginData.WINDOW, tensor))
    return values


def signal_value(signal: str, array: npt.ArrayLike) -> Any:
    """Returns the `Summary.Value` of one signal.

    Args:
      signal: Name of the signal.
      array: `[rows, fields]`; cast to float32.

    Raises:
      ValueError: The array does not have two dimensions.
    """
    values = np.ascontiguousarray(array, np.float32)
    if values.ndim != 2:
        raise ValueError(
            f"The signal {signal!r} has shape {values.shape}; it has to be [rows, fields]."
        )
    tensor = _array_tensor(values, types_pb2.DT_FLOAT)
    return _value(metadata.signal_tag(signal), PluginData.SIGNAL, tensor)


def info_values(info: RunInfo) -> list[Any]:
    """Returns the `Summary.Value`s that describe a run."""
    values = [
        _json_value(
            metadata.ROWS_PREFIX + axis, PluginData.ROWS, [dataclasses.asdict(row) for row in rows]
        )
        for axis, rows in info.rows.items()
    ]
    signals = {name: dataclasses.asdict(spec) for name, spec in info.signals.items()}
    facts = {"facts": dict(info.facts), "not_measured": dict(info.not_measured)}
    values.append(_json_value(metadata.SIGNALS_TAG, PluginData.SIGNALS, signals))
    values.append(_json_value(metadata.FACTS_TAG, PluginData.FACTS, facts))
    return values


def findings_values(findings: Iterable[Finding], states: Iterable[RuleState]) -> list[Any]:
    """Returns the `Summary.Value` that holds all findings and rule states of a run so far."""
    data = {
        "findings": [finding_to_json(finding) for finding in findings],
        "states": [dataclasses.asdict(state) for state in states],
    }
    return [_json_value(metadata.FINDINGS_TAG, PluginData.FINDINGS, data)]


def flight_values(flight: Flight) -> list[Any]:
    """Returns the `Summary.Value`s that hold the single steps before a finding."""
    data = {
        "findings": flight.findings,
        "first_step": flight.first_step,
        "signals": {name: rows.shape[1] for name, rows in flight.signals.items()},
    }
    columns = np.concatenate(list(flight.signals.values()), axis=1, dtype=np.float32)
    tensor = _array_tensor(columns, types_pb2.DT_FLOAT)
    return [
        _value(metadata.FLIGHT_TAG, PluginData.FLIGHT, tensor),
        _json_value(metadata.FLIGHT_INFO_TAG, PluginData.FLIGHT_INFO, data),
    ]


def parse_flight(text: str, columns: npt.NDArray[Any], wall_time: float) -> Flight:
    """The inverse of `flight_values`, from the JSON text and float32 `[steps, columns]`.

    Raises:
      ValueError, TypeError, KeyError, AttributeError: They are not what that function writes.
    """
    data = json.loads(text)
    widths = [int(width) for width in data["signals"].values()]
    _expect(str, *data["findings"])
    if columns.dtype != np.float32 or columns.ndim != 2 or columns.shape[1] != sum(widths):
        raise ValueError(f"{columns.dtype} {list(columns.shape)} is not float32 [steps, columns]")
    parts = np.split(columns, np.cumsum(widths)[:-1], axis=1)
    return Flight(
        findings=tuple(data["findings"]),
        first_step=int(data["first_step"]),
        signals=dict(zip(data["signals"], parts, strict=True)),
        wall_time=wall_time,
    )


def parse_info(rows: Mapping[Axis, str], signals: str, facts: str) -> RunInfo:
    """Builds a `RunInfo` from the JSON texts of a log: rows by axis, signals and facts.

    Raises:
      ValueError, TypeError, KeyError, AttributeError: A text is not what `info_values` writes.
    """
    about = json.loads(facts)
    _expect(dict, about["facts"], about["not_measured"])
    _expect(str, *about["not_measured"].values())
    return RunInfo(
        rows={
            axis: tuple(_parse_row(row) for row in json.loads(text)) for axis, text in rows.items()
        },
        signals={name: _parse_spec(name, spec) for name, spec in json.loads(signals).items()},
        facts=about["facts"],
        not_measured=about["not_measured"],
    )


def parse_findings(text: str) -> tuple[list[Finding], list[RuleState]]:
    """The inverse of `findings_values`, from the JSON text.

    Raises:
      ValueError, TypeError, KeyError, AttributeError: The text is not what that function writes.
    """
    data = json.loads(text)
    findings = [finding_from_json(item) for item in data["findings"]]
    if len({finding.id for finding in findings}) < len(findings):
        raise ValueError("two findings have the same id")
    for finding in findings:
        _expect(str, finding.id, finding.rule, finding.code, finding.title, finding.caused_by)
        _expect(str, *finding.layers, *finding.cause_of)
        if finding.severity not in SEVERITIES:
            raise ValueError(f"the severity of {finding.id!r} is {finding.severity!r}")
    return findings, [_known(RuleState, item) for item in data["states"]]


def _parse_row(data: Json) -> Row:
    row = _known(Row, data)
    _expect(str, row.name, row.layer, row.role, row.function)
    _expect(int, row.size)
    return row


def _parse_spec(name: str, data: Json) -> SignalSpec:
    spec = _known(SignalSpec, data)
    _expect(str, spec.title, spec.unit, spec.axis, spec.scale, spec.description, *spec.fields)
    if spec.name != name:
        raise ValueError(f"the signal {name!r} is described as {spec.name!r}")
    healthy = None if spec.healthy is None else (spec.healthy[0], spec.healthy[1])
    return dataclasses.replace(spec, fields=tuple(spec.fields), healthy=healthy)


def _expect(kind: type, *values: object) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f"{value!r} is given for a {kind.__name__}")


def _known(kind: type[T], data: Json) -> T:
    """Builds a dataclass, leaving out the names that a later version may have added."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in data.items() if name in names})


def _value(tag: str, kind: PluginData.Kind, tensor: Any) -> Any:
    return summary_pb2.Summary.Value(tag=tag, metadata=_METADATA[kind], tensor=tensor)


def _array_tensor(array: npt.NDArray[Any], dtype: int) -> Any:
    return tensor_pb2.TensorProto(
        dtype=dtype, tensor_shape=_shape(array.shape), tensor_content=array.tobytes()
    )


def _json_value(tag: str, kind: PluginData.Kind, data: Any) -> Any:
    text = json.dumps(data, default=_plain).encode()
    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_shape=_shape(()), string_val=[text]
    )
    return _value(tag, kind, tensor)


def _shape(shape: Sequence[int]) -> Any:
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    return tensor_shape_pb2.TensorShapeProto(dim=dims)


def _plain(value: Any) -> Any:
    """Facts come from users' objects: a number of NumPy is a number, anything else its text."""
    return value.item() if isinstance(value, np.generic) else str(value)
