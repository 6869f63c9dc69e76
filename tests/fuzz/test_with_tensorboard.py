"""A real TensorBoard, spoken to by somebody who does not keep to HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlparse

import pytest

from tests.fuzz.test_requests import HOSTILE, ROUTES
from tests.logs import write_run
from tests.tensorboard_process import PREFIX, TensorBoard, tensorboard

pytestmark = pytest.mark.slow


def send(server: TensorBoard, request: bytes) -> bytes:
    """Sends bytes, and returns the first line of the answer; b"" if there is none."""
    port = urlparse(server.url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        try:
            with connection.makefile("rb") as answer:
                return answer.readline()
        except ConnectionResetError:
            return b""


def requests() -> list[bytes]:
    """Requests to every route with every hostile value in the address, quoted and as it is."""
    made = []
    for route in [*ROUTES, "static/"]:
        for value in HOSTILE:
            raw = value.encode(errors="surrogatepass").replace(b"\r", b"").replace(b"\n", b"")
            for text in (quote(raw).encode(), raw):
                where = text if route == "static/" else b"?run=good&signal=" + text
                path = b"/" + PREFIX.encode() + route.encode() + where
                made.append(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    path = b"/" + PREFIX.encode() + b"run?run=good"
    return [
        *made,
        b"\r\n\r\n",
        b"\0" * 100,
        b"GET",
        b"GET " + path + b"\r\n\r\n",
        b"GET " + path + b" HTTP/9.9\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nabc",
        b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"PUT " + path + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET "
        + path
        + b" HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "
        + b"gzip," * 5000
        + b"\r\n\r\n",
        b"GET " + path + b"&x=" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ]


def test_tensorboard_answers_on_and_complains_of_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    write_run(tmp_path / "good", range(10))
    with tensorboard(tmp_path) as server:
        server.wait_for_runs("good")
        before = server.run("good")
        sent = requests()
        for request in sent:
            first_line = send(server, request)
            assert not first_line.startswith(b"HTTP/1.1 5"), (request[:200], first_line)
        assert server.run("good") == before
        assert "Traceback" not in server.log()
        assert "In 3.0" not in server.log()
    record_property("requests fuzzed", len(sent))
