"""What is like a message before is read by it, and everything else as if there had been none."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import event_pb2, summary_pb2

from tensorboard_gradhealth.storage import codec, frames
from tensorboard_gradhealth.storage.frames import EventParser, Frame, ValueParser
from tests.logs import record


def event(step: int, signals: tuple[str, ...] = ("loss", "gradient_norm")) -> bytes:
    whole = record(step)
    values = [codec.signal_value(name, whole.signals["gradient_norm"]) for name in signals]
    summary = summary_pb2.Summary(value=values)
    body: bytes = event_pb2.Event(
        step=step, wall_time=step + 0.5, summary=summary
    ).SerializeToString()
    return body


def value(numbers: list[float]) -> bytes:
    array = np.array([numbers], np.float32)
    data: bytes = codec.signal_value("loss", array).SerializeToString()
    return data


def outcome(parser: EventParser, body: bytes) -> object:
    try:
        return parser.parse(body)
    except (ValueError, IndexError, struct.error) as error:
        return type(error)


def test_a_frame_fits_what_differs_in_its_numbers_alone() -> None:
    frame = Frame(b"ab12cd34", [(6, 8), (2, 4)])
    assert frame.fits(b"ab12cd34")
    assert frame.fits(b"abXXcdYY")
    assert not frame.fits(b"aX12cd34")
    assert not frame.fits(b"ab12cd3")
    assert not frame.fits(b"ab12cd345")


def test_an_event_like_one_before_is_not_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = EventParser()
    parser.parse(event(200))
    monkeypatch.delattr(frames, "_walk")
    again = parser.parse(event(201))
    assert (again.step, again.wall_time) == (201, 201.5)
    assert [tag for tag, _, _ in again.values] == ["gradhealth/loss", "gradhealth/gradient_norm"]


@pytest.mark.parametrize("step", [-5, 0, 3, 127, 128, 16_383, 16_384, 2**40])
def test_events_of_every_length_are_read_as_if_they_were_alone(step: int) -> None:
    parser = EventParser()
    for known in (1, 100, 200, 20_000, -1):
        parser.parse(event(known))
    assert parser.parse(event(step)) == EventParser().parse(event(step))
    assert parser.parse(event(step)).step == step


def test_signals_in_another_order_are_not_taken_for_those_before() -> None:
    parser = EventParser()
    parser.parse(event(5, ("loss", "size")))
    found = parser.parse(event(6, ("size", "loss")))
    assert [tag for tag, _, _ in found.values] == ["gradhealth/size", "gradhealth/loss"]


def test_a_damaged_event_is_read_as_if_it_were_alone() -> None:
    """Whatever byte is wrong: what was learnt of a sound event hides no damage, and makes none."""
    body, parser = event(200), EventParser()
    for position in range(len(body)):
        for wrong in (0x00, 0x80, 0xFF):
            damaged = body[:position] + bytes([wrong]) + body[position + 1 :]
            parser.parse(body)
            assert outcome(parser, damaged) == outcome(EventParser(), damaged), position


def test_patterns_do_not_pile_up() -> None:
    parser = EventParser()
    for length in range(3 * frames._MAX_PATTERNS):
        parser.parse(event(5, ("x" * (length + 1),)))
    assert len(parser._patterns) <= frames._MAX_PATTERNS


def test_a_value_like_one_before_is_not_decoded_as_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parser = ValueParser()
    parser.parse(value([1, 2, 3]))
    monkeypatch.delattr(frames, "array_of")
    again = parser.parse(value([4, np.nan, -np.inf]))
    np.testing.assert_array_equal(again, np.array([[4, np.nan, -np.inf]], np.float32))


def test_a_damaged_value_is_decoded_as_if_it_were_alone() -> None:
    sound, parser = value([1, 2, 3]), ValueParser()
    for position in range(len(sound)):
        damaged = sound[:position] + b"\xff" + sound[position + 1 :]
        parser.parse(sound)
        assert decoded(parser, damaged) == decoded(ValueParser(), damaged), position


def decoded(parser: ValueParser, data: bytes) -> object:
    try:
        array = parser.parse(data)
    except (ValueError, TypeError, DecodeError) as error:
        return type(error)
    return array.dtype, array.shape, array.tobytes()


def test_values_of_other_shapes_follow_each_other() -> None:
    parser = ValueParser()
    shapes = [parser.parse(value([0.0] * size)).shape for size in (3, 3, 4, 3, 3)]
    assert shapes == [(1, 3), (1, 3), (1, 4), (1, 3), (1, 3)]
