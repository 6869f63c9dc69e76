"""Answers that are made once for all who ask, and not sent to those who have them already."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Iterator
from typing import Any, TypeAlias

from tensorboard.backend import http_util, json_util
from werkzeug import wrappers

from tensorboard_gradhealth.storage.memory import Room
from tensorboard_gradhealth.types import Json

Body: TypeAlias = bytes | Room

JSON = "application/json"
BINARY = "application/octet-stream"

_GZIP = 31
"""Asks zlib for a gzip header, and for its whole window."""

_SAMPLE_BYTES = 2**16

_WORTHWHILE = 0.8

_PIECE_BYTES = 2**18


def as_json(data: Json) -> bytes:
    """Returns the text of JSON values; those that are not finite become strings."""
    return json.dumps(json_util.Cleanse(data)).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A body, compressed if that pays, and the entity tag by which a browser knows it again."""

    body: Body
    compressed: bool
    tag: str

    @classmethod
    def of(cls, body: Body) -> Answer:
        """Compresses a body if that pays."""
        tag = hashlib.sha1(body, usedforsecurity=False).hexdigest()
        compressed = _compressed(body)
        return cls(body if compressed is None else compressed, compressed is not None, tag)

    @classmethod
    def of_text(cls, text: bytes) -> Answer:
        """Compresses a text as well as gzip can: it is sent often and changes rarely."""
        tag = hashlib.sha1(text, usedforsecurity=False).hexdigest()
        return cls(_gzip(text, zlib.Z_DEFAULT_STRATEGY, zlib.Z_BEST_COMPRESSION), True, tag)

    def size(self) -> int:
        """Returns how many bytes it takes in memory."""
        return len(self.body)

    def respond(self, request: Any, kind: str) -> Any:
        """Sends it as a media type, or only says that the browser's copy is still good."""
        headers = [("ETag", f'W/"{self.tag}"'), ("Vary", "Accept-Encoding")]
        if request.if_none_match.contains_weak(self.tag):
            headers += [("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff")]
            return wrappers.Response(status=304, headers=headers, content_type=kind)
        if self.compressed:
            return http_util.Respond(
                request, self.body, kind, content_encoding="gzip", headers=headers
            )
        response = http_util.Respond(request, b"", kind, headers=headers)
        response.response = _pieces(self.body)
        response.content_length = len(self.body)
        return response


def _pieces(body: Body) -> Iterator[bytes]:
    """Yields a body as the `bytes` that WSGI asks for, without a second copy of all of it."""
    view = memoryview(body)
    for start in range(0, len(body), _PIECE_BYTES):
        yield bytes(view[start : start + _PIECE_BYTES])


def _compressed(body: Body) -> bytes | None:
    """Returns a body as gzip; None if that would not save much.

    Measurements hardly repeat, so that looking for repetitions takes three times as long and saves
    nothing; what there is to save is in the bytes of their exponents. Where that is not much
    either, they are sent as they are: compressing takes longer than sending.
    """
    if body[:1] == b"{":
        return _gzip(body, zlib.Z_DEFAULT_STRATEGY)
    middle = len(body) // 2
    sample = body[middle : middle + _SAMPLE_BYTES]
    saves = len(_gzip(sample, zlib.Z_HUFFMAN_ONLY)) < _WORTHWHILE * len(sample)
    return _gzip(body, zlib.Z_HUFFMAN_ONLY) if saves else None


def _gzip(body: Body, strategy: int, level: int = zlib.Z_BEST_SPEED) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP, zlib.DEF_MEM_LEVEL, strategy)
    return compressor.compress(body) + compressor.flush()
