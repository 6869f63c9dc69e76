"""A real TensorBoard in a process of its own, as users run it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")

PREFIX = "data/plugin/gradhealth/"
PATIENCE = 240
"""Seconds to wait for what takes one or two on a machine that has nothing else to do."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy of the machine that runs the tests cannot reach a server on this one."""


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        assert self.status == 200, self.text
        return json.loads(self.body)


class DecodedSeries(NamedTuple):
    """The binary answer of `GET series`, decoded as docs/http_api.md says."""

    header: dict[str, Any]
    steps: np.ndarray  # [T]
    first_steps: np.ndarray  # [T]
    wall_times: np.ndarray  # [T]
    values: np.ndarray  # [fields, rows, T]


class TensorBoard:
    """Talks to a running TensorBoard."""

    def __init__(self, url: str, log: Callable[[], str], pid: int = 0) -> None:
        self.url = url
        self.log = log
        self.pid = pid

    def get(self, path: str, **arguments: str) -> Answer:
        """Gets a path below the root of TensorBoard; failures are answers, too."""
        query = "?" + urllib.parse.urlencode(arguments) if arguments else ""
        try:
            with _DIRECT.open(self.url + path + query, timeout=60) as reply:
                return Answer(reply.status, reply.read(), dict(reply.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers))

    def plugin(self, route: str, **arguments: str) -> Answer:
        """Gets a route of the plugin."""
        return self.get(PREFIX + route, **arguments)

    def run(self, run: str) -> Any:
        return self.plugin("run", run=run).json

    def series(self, run: str, signal: str, **arguments: str) -> DecodedSeries:
        answer = self.plugin("series", run=run, signal=signal, **arguments)
        assert answer.status == 200, answer.text
        return decode_series(answer.body)

    def wait_for_runs(self, *runs: str) -> dict[str, Any]:
        """Returns the summaries by name, as soon as TensorBoard has read all of these runs."""

        def summaries() -> dict[str, Any] | None:
            found = {item["run"]: item for item in self.plugin("runs").json["runs"]}
            return found if set(runs) <= set(found) else None

        return self.wait_for(summaries)

    def wait_for(self, poll: Callable[[], T | None], seconds: float = PATIENCE) -> T:
        """Returns the first answer that is not None."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = poll()
            if found is not None:
                return found
            time.sleep(0.1)
        raise AssertionError(f"TensorBoard did not get there in {seconds} s:\n{self.log()}")


def decode_series(body: bytes) -> DecodedSeries:
    length = int.from_bytes(body[:4], "little")
    header = json.loads(body[4 : 4 + length])
    points, rows, fields = header["points"], header["rows"], len(header["fields"])
    start = 4 + length
    times = np.frombuffer(body, "<f8", 3 * points, start).reshape(3, points)
    values = np.frombuffer(body, "<f4", offset=start + 24 * points).reshape(fields, rows, points)
    return DecodedSeries(header, times[0], times[1], times[2], values)


@contextlib.contextmanager
def tensorboard(
    log_dir: Path | str,
    *flags: str,
    python: str = sys.executable,
    cwd: Path | None = None,
    module: str = "tensorboard.main",
) -> Iterator[TensorBoard]:
    """Runs TensorBoard on a free port until the block ends.

    Args:
      log_dir: Its `--logdir`.
      flags: More command line flags.
      python: The interpreter in whose environment TensorBoard is installed.
      cwd: Where to start it; matters when `python` must not see the sources in this directory.
      module: What to run; a program that takes TensorBoard's flags.
    """
    command = [python, "-m", module, "--logdir", str(log_dir), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--reload_interval", "1", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONUNBUFFERED": "1"},
    )
    lines: list[str] = []
    urls: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_collect, args=(process, lines, urls), daemon=True).start()
    try:
        try:
            url = urls.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError("TensorBoard did not start:\n" + "".join(lines)) from None
        yield TensorBoard(url, lambda: "".join(lines), process.pid)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _collect(process: subprocess.Popen[str], lines: list[str], urls: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if match := re.search(r"TensorBoard \S+ at (http://\S+)", line):
            urls.put(f"http://127.0.0.1:{urllib.parse.urlparse(match[1]).port}/")
