"""Where the parts of a serialized protobuf message are, without decoding or copying them."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
"""Wire types; those of groups are not in use any more."""


def parts(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields number, start and end of the fields of the message from `start` to `end`.

    Raises:
      ValueError, IndexError: It is not a message.
    """
    while start < end:
        key, start = varint(data, start)
        number, kind = key >> 3, key & 7
        if kind == _LENGTH:
            length, start = varint(data, start)
            stop = start + length
        elif kind == _VARINT:
            _, stop = varint(data, start)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            stop = start + (8 if kind == _EIGHT_BYTES else 4)
        else:
            raise ValueError(f"wire type {kind} at byte {start}")
        if not number or stop > end:
            raise ValueError(f"field {number} ends at byte {stop} of {end}")
        yield number, start, stop
        start = stop


def varint(data: bytes, start: int) -> tuple[int, int]:
    """Returns the unsigned number that begins at `start`, and where it ends.

    Raises:
      ValueError: It is longer than 64 bits.
      IndexError: The data end before it.
    """
    byte = data[start]
    if byte < 0x80:  # most of them
        return byte, start + 1
    number, shift = byte & 0x7F, 7
    while byte >= 0x80:
        if shift > 63:
            raise ValueError(f"the number at byte {start} has more than 64 bits")
        byte = data[start + shift // 7]
        number |= (byte & 0x7F) << shift
        shift += 7
    return number, start + shift // 7
