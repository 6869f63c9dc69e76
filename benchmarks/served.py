"""What a page asks a real TensorBoard for, and what that takes of its memory."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import statistics
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.tensorboard_process import PREFIX, TensorBoard, tensorboard

COLUMNS = 2_000
"""A page asks for so many points of a map at most."""

_PIECE_BYTES = 2**16
"""A browser takes an answer as it comes. Memory for all of it at once would be fresh, and to touch
that takes longer on some machines than to be sent it."""


def milliseconds(act: Callable[[], object], repeats: int = 1) -> float:
    """Returns the median time of an action."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        act()
        times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times)


def megabytes(folder: Path) -> float:
    """Returns what a run takes on disk."""
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


class Page:
    """Asks as the panel does in a browser: compressed, and only for what has changed."""

    def __init__(self, server: TensorBoard, run: str) -> None:
        self._host = urllib.parse.urlparse(server.url).netloc
        self._run = run
        self._known: dict[str, str] = {}
        self.received = 0

    def overview(self) -> None:
        """What has to be there until verdict, findings, loss and map are on screen."""
        self.get("runs")
        self.findings()
        self.get("series", run=self._run, signal="loss", points=COLUMNS)
        self.map("gradient_norm")

    def findings(self) -> None:
        self.get("run", run=self._run)

    def map(self, signal: str, steps: tuple[int, int] | None = None, points: int = COLUMNS) -> None:
        """The means of all rows."""
        part = {"steps": f"{steps[0]},{steps[1]}"} if steps else {}
        self.get("series", run=self._run, signal=signal, fields="mean", points=points, **part)

    def row(self, signal: str, row: int) -> None:
        self.get("series", run=self._run, signal=signal, rows=row, points=COLUMNS)

    def forget(self) -> None:
        """Empties the browser's cache."""
        self._known.clear()

    def get(self, route: str, **arguments: object) -> int:
        """Returns the status of an answer, which is 200 or 304."""
        path = f"/{PREFIX}{route}?{urllib.parse.urlencode(arguments)}"
        headers = {"Accept-Encoding": "gzip"}
        if path in self._known:
            headers["If-None-Match"] = self._known[path]
        connection = http.client.HTTPConnection(self._host, timeout=600)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            start = piece = answer.read(_PIECE_BYTES)
            while piece:
                self.received += len(piece)
                piece = answer.read(_PIECE_BYTES)
        if answer.status not in (200, 304):
            raise RuntimeError(f"{path} answered {answer.status}: {start[:200]!r}")
        if tag := answer.headers.get("ETag"):
            self._known[path] = tag
        return answer.status


def anew(page: Page, ask: Callable[[], object]) -> Callable[[], None]:
    """Returns an action that asks as a page does that was never told an answer."""

    def act() -> None:
        page.forget()
        ask()

    return act


@contextlib.contextmanager
def served(log_dir: Path, *flags: str) -> Iterator[TensorBoard]:
    """Runs a TensorBoard, and waits until it has read all logs; the plugin is not asked yet."""
    with tensorboard(log_dir, *flags) as server:
        runs = len({path.parent for path in log_dir.rglob("*tfevents*")})
        server.wait_for(lambda: len(server.get("data/runs").json) >= runs or None, 600)
        time_left_alone(server)
        yield server


def time_left_alone(server: TensorBoard) -> None:
    """Waits until TensorBoard has nothing to do any more."""
    before, now = -1.0, _processor_seconds(server)
    while now - before > 0.2:
        time.sleep(1)
        before, now = now, _processor_seconds(server)


def memory(server: TensorBoard) -> float:
    """Returns the resident megabytes of a TensorBoard and its data server."""
    return sum(float(rss) for rss in _processes(server, "rss")) / 1e3


def _processor_seconds(server: TensorBoard) -> float:
    return sum(float(seconds) for seconds in _processes(server, "cputimes"))


def _processes(server: TensorBoard, column: str) -> list[str]:
    """Returns what `ps` says of a TensorBoard and its data server."""
    command = ["ps", "-A", "-o", f"pid=,ppid=,{column}="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in listing.splitlines()]
    return [value for *ids, value in lines if str(server.pid) in ids]


def scalars(server: TensorBoard, tags: list[str]) -> list[list[dict[str, float]]]:
    """Returns the points of scalars through the route that the Time Series tab uses."""
    requests = [{"plugin": "scalars", "tag": tag} for tag in tags]
    body = urllib.parse.urlencode({"requests": json.dumps(requests)})
    connection = http.client.HTTPConnection(urllib.parse.urlparse(server.url).netloc, timeout=600)
    with contextlib.closing(connection):
        form = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "gzip"}
        connection.request("POST", "/data/plugin/timeseries/timeSeries", body, form)
        answer = connection.getresponse()
        data = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"timeSeries answered {answer.status}: {data[:200]!r}")
    text = gzip.decompress(data) if answer.headers.get("Content-Encoding") == "gzip" else data
    return [series["runToSeries"]["run"] for series in json.loads(text)]
