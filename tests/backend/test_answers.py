"""What is sent, to whom, and what is not."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tensorboard_gradhealth.backend.answers import BINARY, JSON, Answer, as_json


def request(**headers: str) -> Request:
    return Request(EnvironBuilder(headers=headers).get_environ())


@pytest.mark.parametrize(
    "body",
    [
        as_json({"rows": list(range(1000))}),
        np.zeros(100_000, np.float32).tobytes(),
        np.random.default_rng(0).normal(size=100_000).astype(np.float32).tobytes(),
        b"",
    ],
    ids=["json", "zeros", "noise", "empty"],
)
def test_a_body_arrives_as_it_was_however_it_is_packed(body: bytes) -> None:
    answer = Answer.of(body).respond(request(**{"Accept-Encoding": "gzip"}), BINARY)
    assert int(answer.headers["Content-Length"]) == len(answer.get_data())
    unpack = gzip.decompress if "Content-Encoding" in answer.headers else bytes
    assert unpack(answer.get_data()) == body
    plain = Answer.of(body).respond(request(), BINARY)
    assert "Content-Encoding" not in plain.headers
    assert b"".join(plain.iter_encoded()) == body


def test_what_can_be_packed_is_and_what_cannot_is_sent_as_it_is() -> None:
    zeros = np.zeros(100_000, np.float32).tobytes()
    noise = np.random.default_rng(0).bytes(400_000)
    assert Answer.of(zeros).size() < len(zeros) / 5
    assert Answer.of(noise).size() == len(noise)
    for body, encoding in ((zeros, "gzip"), (noise, None)):
        answer = Answer.of(body).respond(request(**{"Accept-Encoding": "gzip"}), BINARY)
        assert answer.headers.get("Content-Encoding") == encoding


def test_who_has_it_already_is_told_so() -> None:
    answer = Answer.of(b"{}")
    first = answer.respond(request(), JSON)
    assert first.status_code == 200
    assert "no-cache" in first.headers["Cache-Control"]
    again = answer.respond(request(**{"If-None-Match": first.headers["ETag"]}), JSON)
    assert (again.status_code, again.get_data()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_who_has_something_else_gets_it() -> None:
    old = Answer.of(b"{}").respond(request(), JSON).headers["ETag"]
    answer = Answer.of(b'{"a": 1}').respond(request(**{"If-None-Match": old}), JSON)
    assert answer.status_code == 200


def test_numbers_that_json_lacks_are_strings() -> None:
    assert as_json({"a": [float("nan"), float("-inf")]}) == b'{"a": ["NaN", "-Infinity"]}'
