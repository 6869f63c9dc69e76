"""Answers that are made once for all who ask, and not sent to those who have them already."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from typing import Any, TypeAlias

from tensorboard.backend import http_util, json_util
from werkzeug import wrappers

from tensorboard_gradhealth.types import Json

Body: TypeAlias = bytes | bytearray

JSON = "application/json"
BINARY = "application/octet-stream"

_GZIP = 31
"""Asks zlib for a gzip header, and for its whole window."""

_SAMPLE_BYTES = 2**16

_WORTHWHILE = 0.8


def as_json(data: Json) -> bytes:
    """Returns the text of JSON values; those that are not finite become strings."""
    return json.dumps(json_util.Cleanse(data)).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A body, compressed, and the entity tag by which a browser knows it again."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, body: Body) -> Answer:
        """Compresses a body."""
        return cls(_compressed(body), hashlib.sha1(body, usedforsecurity=False).hexdigest())

    def size(self) -> int:
        """Returns how many bytes it takes in memory."""
        return len(self.body)

    def respond(self, request: Any, kind: str) -> Any:
        """Sends it as a media type, or only says that the browser's copy is still good."""
        headers = [("ETag", f'W/"{self.tag}"'), ("Vary", "Accept-Encoding")]
        if request.if_none_match.contains_weak(self.tag):
            headers += [("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff")]
            return wrappers.Response(status=304, headers=headers, content_type=kind)
        return http_util.Respond(request, self.body, kind, content_encoding="gzip", headers=headers)


def _compressed(body: Body) -> bytes:
    """Returns a body as gzip.

    Measurements hardly repeat, so that looking for repetitions takes three times as long and saves
    nothing; what there is to save is in the bytes of their exponents. Where that is not much
    either, they are stored as they are: compressing takes longer than sending.
    """
    if body.startswith(b"{"):
        return _gzip(body, 1, zlib.Z_DEFAULT_STRATEGY)
    middle = body[len(body) // 2 :][:_SAMPLE_BYTES]
    saves = len(_gzip(middle, 1, zlib.Z_HUFFMAN_ONLY)) < _WORTHWHILE * len(middle)
    return _gzip(body, 1 if saves else 0, zlib.Z_HUFFMAN_ONLY)


def _gzip(body: Body, level: int, strategy: int) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP, zlib.DEF_MEM_LEVEL, strategy)
    return compressor.compress(body) + compressor.flush()
