"""Logs with something wrong in them: of a valid log, any part is replaced by anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import RuleState
from tests.logs import events, finding, flight, info, record

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}",
    "\u202e\u0000\ud800",
    "a" * 3000,
    "../../../etc/passwd",
    "__proto__",
)
SIZES = st.sampled_from((-1, 0, 1, 2, 3, 7, 2**31, 2**33, 2**40, 2**62))
NUMBERS = st.one_of(
    st.integers(-3, 100),
    st.sampled_from((2**31, 2**63 - 1, -(2**63))),
    st.integers(-(2**63), 2**63 - 1),
)
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.integers(-(2**70), 2**70),
        st.sampled_from(MARKUP),
        st.text(max_size=5),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)
Draw = Callable[..., Any]


def valid_events(log_dir: Path) -> list[Any]:
    """Returns the events of a log that has one of everything."""
    writer = RunWriter(log_dir)
    writer.write_info(info(), 0)
    for step in range(3):
        writer.write_record(record(step, step + 1))
    writer.write_flight(flight("root", first_step=0, steps=3), 2)
    found = [finding("root", cause_of=("a",)), finding("a", caused_by="root")]
    writer.write_findings(found, [RuleState("root", "GH999", "firing")], 2)
    writer.close()
    [path] = log_dir.glob("*tfevents*")
    return events(path)


def write(log_dir: Path, payloads: list[bytes]) -> None:
    """Writes serialized events with checksums that are right."""
    log_dir.mkdir()
    with open(log_dir / "events.out.tfevents.1.mutant", "wb") as file:
        writer = RecordWriter(file)
        for payload in payloads:
            writer.write(payload)
        writer.flush()


@st.composite
def mutants(draw: Draw, events: list[Any], messages_only: bool = False) -> list[bytes]:
    """The events, serialized, with one to four of them mutated.

    Args:
      draw: Of hypothesis.
      events: Of a valid log.
      messages_only: Whether each has to be a message still, of whatever content: TensorBoard's
        in-process loader ends at the first that is not, and with it the reading of all other runs.
    """
    copies = [event_pb2.Event.FromString(event.SerializeToString()) for event in events]
    for _ in range(draw(st.integers(1, 4))):
        event = copies[draw(st.integers(1, len(copies) - 1))]
        draw(st.sampled_from(MUTATIONS))(draw, event)
    payloads = [event.SerializeToString() for event in copies]
    if not messages_only and draw(st.integers(0, 3)) == 0:
        index = draw(st.integers(0, len(payloads) - 1))
        payloads[index] = _garbled(draw, payloads[index])
    return payloads


def _garbled(draw: Draw, payload: bytes) -> bytes:
    data = bytearray(payload)
    for _ in range(draw(st.integers(1, 5))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def _value(draw: Draw, event: Any) -> Any:
    return event.summary.value[draw(st.integers(0, len(event.summary.value) - 1))]


def _time(draw: Draw, event: Any) -> None:
    event.wall_time = draw(st.floats())


def _step(draw: Draw, event: Any) -> None:
    event.step = draw(NUMBERS)


def _shape(draw: Draw, event: Any) -> None:
    tensor = _value(draw, event).tensor
    del tensor.tensor_shape.dim[:]
    for size in draw(st.lists(SIZES, max_size=70 if draw(st.integers(0, 9)) == 0 else 4)):
        tensor.tensor_shape.dim.add(size=size)


def _dtype(draw: Draw, event: Any) -> None:
    _value(draw, event).tensor.dtype = draw(st.integers(0, 130))


def _content(draw: Draw, event: Any) -> None:
    tensor = _value(draw, event).tensor
    tensor.tensor_content = draw(st.binary(max_size=80))


def _constant(draw: Draw, event: Any) -> None:
    """One element, which stands for as many as the shape says."""
    tensor = _value(draw, event).tensor
    tensor.ClearField("tensor_content")
    tensor.dtype = draw(st.sampled_from((1, 2, 7)))
    tensor.float_val.append(1.0)
    tensor.double_val.append(1.0)
    _shape(draw, event)


def _numbers(draw: Draw, event: Any) -> None:
    """Other numbers of the same type, such as the steps of a window."""
    tensor = _value(draw, event).tensor
    size = {1: 4, 2: 8}.get(tensor.dtype)
    if size and tensor.tensor_content:
        length = len(tensor.tensor_content)
        tensor.tensor_content = draw(st.binary(min_size=length, max_size=length))


def _tag(draw: Draw, event: Any) -> None:
    value = _value(draw, event)
    known = ("_window", "_rows/variable", "_rows/<b>", "_signals", "_facts", "_findings", "_flight")
    name = draw(st.one_of(st.sampled_from(known), st.sampled_from(MARKUP), st.text(max_size=5)))
    value.tag = "gradhealth/" + name.encode(errors="replace").decode()


def _metadata(draw: Draw, event: Any) -> None:
    plugin = _value(draw, event).metadata.plugin_data
    plugin.content = draw(st.binary(max_size=6))


def _text(draw: Draw, event: Any) -> None:
    """Any bytes, or any JSON, or the same JSON but for one value in it."""
    tensor = _value(draw, event).tensor
    try:
        data = json.loads(tensor.string_val[0])
    except (IndexError, ValueError, RecursionError):  # no text, or one that was mutated before
        return
    kind = draw(st.integers(0, 9))
    if kind == 0:
        tensor.string_val[0] = draw(st.binary(max_size=9))
    elif kind == 1:
        tensor.string_val[0] = b"[" * 5000
    elif kind == 2:
        tensor.string_val[0] = json.dumps(draw(JUNK)).encode()
    else:
        tensor.string_val[0] = json.dumps(_replaced(draw, data)).encode()


def _replaced(draw: Draw, data: Any) -> Any:
    """Returns the same JSON values with one of them, at any depth, replaced or taken out."""
    if not isinstance(data, (dict, list)) or not data or draw(st.integers(0, 3)) == 0:
        return draw(JUNK)
    copy: Any = data.copy()
    key: Any = draw(st.sampled_from(sorted(data) if isinstance(data, dict) else range(len(data))))
    if draw(st.integers(0, 9)) == 0:
        del copy[key]
    elif isinstance(data, list) and draw(st.integers(0, 9)) == 0:
        copy.append(data[key])
    else:
        copy[key] = _replaced(draw, data[key])
    return copy


MUTATIONS = (
    _time,
    _step,
    _shape,
    _dtype,
    _content,
    _constant,
    _numbers,
    _tag,
    _metadata,
    _text,
    _text,
    _text,
)
