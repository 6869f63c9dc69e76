"""A TensorBoard that is not reached directly, or that does not read the logs itself."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tensorboard.data import server_ingester

from tests.logs import write_run
from tests.tensorboard_process import TensorBoard, tensorboard

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def data_server(log_dir: Path, port_file: Path) -> Iterator[str]:
    """Runs TensorBoard's data server by itself, as on a machine that has the logs."""
    program = server_ingester.get_server_binary().path
    where = [f"--logdir={log_dir}", "--port=0", f"--port-file={port_file}", "--reload=1"]
    samples = "--samples-per-plugin=gradhealth=all"
    process = subprocess.Popen(
        [program, *where, samples, "--die-after-stdin"], stdin=subprocess.PIPE
    )
    try:
        for _ in range(300):
            if port_file.exists() and port_file.read_text():
                break
            threading.Event().wait(0.1)
        yield f"localhost:{port_file.read_text().strip()}"
    finally:
        process.terminate()
        process.wait(timeout=30)


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on to where its server says, as a reverse proxy does."""

    def do_GET(self) -> None:
        host, path = self.server.target(self.path)  # type: ignore[attr-defined]
        connection = http.client.HTTPConnection(host, timeout=60)
        with contextlib.closing(connection):
            headers = {n: v for n, v in self.headers.items() if n.lower() != "host"}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Is silent."""


@contextlib.contextmanager
def proxy(target: Callable[[str], tuple[str, str]]) -> Iterator[str]:
    """Runs a reverse proxy; `target` turns a path into a host and a path there."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.target = target  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def check(running: TensorBoard) -> None:
    """Asks for one of each: page, module, JSON, binary, a mistake, and what is known already."""
    running.wait_for_runs("run")
    running.wait_for(lambda: running.run("run")["kept"] == 1_000 or None)
    assert running.get("data/plugins_listing").json["gradhealth"]["enabled"]
    assert "plugin/gradhealth/" in running.get("data/plugin_entry.html", name="gradhealth").text
    assert "render" in running.plugin("static/index.js").text
    series = running.series("run", "gradient_norm", points="100", steps="100,900")
    assert series.values.shape == (3, 2, 100)
    assert running.plugin("run", run="nope").status == 404


def test_a_data_server_that_was_started_by_hand(tmp_path: Path) -> None:
    write_run(tmp_path / "logs" / "run", range(1_000))
    (tmp_path / "empty").mkdir()
    with data_server(tmp_path / "logs", tmp_path / "port") as address:
        flag = f"--grpc_data_provider={address}"
        with tensorboard(tmp_path / "empty", flag) as running:
            check(running)


@pytest.mark.parametrize("protocol", ["ram", "memory"], ids=["of_tensorflow", "of_fsspec"])
def test_a_log_directory_with_a_protocol(tmp_path: Path, protocol: str) -> None:
    """As with a bucket, TensorBoard's loader reads it, and the plugin what TensorBoard has read."""
    write_run(tmp_path / "run", range(1_000))
    program = "tests.backend.board_in_memory"
    with tensorboard(f"{protocol}://{tmp_path}", module=program) as running:
        check(running)


@pytest.mark.parametrize("strips", [False, True], ids=["passes_the_prefix_on", "strips_the_prefix"])
def test_a_proxy_with_a_path_prefix(tmp_path: Path, strips: bool) -> None:
    write_run(tmp_path / "run", range(1_000))
    flags = [] if strips else ["--path_prefix=/team/board"]
    with tensorboard(tmp_path, *flags) as running:
        host = urllib.parse.urlparse(running.url).netloc

        def target(path: str) -> tuple[str, str]:
            assert path.startswith("/team/board/")
            return host, path.removeprefix("/team/board") if strips else path

        with proxy(target) as url:
            check(TensorBoard(f"{url}team/board/", running.log))
