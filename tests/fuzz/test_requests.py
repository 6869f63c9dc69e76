"""Every route, asked for everything: no answer is an error of the server's, none leads out."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from tensorboard_gradhealth.backend import static_files
from tensorboard_gradhealth.backend.runs import Runs
from tensorboard_gradhealth.rules import RULES, Engine
from tensorboard_gradhealth.storage.reader import open_log_dir
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import NOT_MEASURED, Record
from tests.effort import effort, examples
from tests.fuzz.app import ROOT, Complaints, client
from tests.logs import finding, flight, info, record, write_newer_run, write_run

pytestmark = pytest.mark.slow

BATCH = 20
"""Requests in one example."""

ROUND = 2_000
"""Requests after which Hypothesis starts anew: it remembers all that it made up in a round."""

ROUNDS = effort(1, 50)

MEMORY = 150e6
"""Bytes that all requests together may leave behind."""

TYPES = {
    "application/json",
    "application/octet-stream",
    "text/javascript; charset=utf-8",
    "text/css; charset=utf-8",
    "image/svg+xml; charset=utf-8",
    "text/plain; charset=utf-8",
}

HOSTILE = (
    "",
    ".",
    "..",
    "../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "%2e%2e%2fplugin.py",
    "index.js\0.png",
    "\ud800",
    "\x00",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}${7*7}",
    "'; DROP TABLE runs; --",
    "__proto__",
    "constructor",
    "\u202egpj.exe",
    "a" * 5000,
    "NaN",
    "-0",
    "1e309",
    "9" * 400,
    "9" * 5000,
    "-1",
    "0," * 2000 + "0",
    "١٢",
    "null",
    "[" * 3000,
    '{"a":' * 3000,
    '{"dead_units": {"warning": 1e999}}',
    '{"dead_units": {"warning": NaN}}',
    f'{{"dead_units": {{"warning": {"9" * 400}}}}}',
    '{"dead_units": {"warning": true}}',
    '{"\\ud800": {}}',
    '{"dead_units": {"\\ud800": 1}}',
)

NAMES = ("good", "strange", "judged", "newer", "gradient_norm", "loss", "_window", "dead_units")
VALUES = st.one_of(
    st.sampled_from(HOSTILE),
    st.sampled_from(NAMES),
    st.sampled_from(("mean", "mean,max", "max,min,mean", "0", "1", "0,1", "5,2", "400")),
    st.text(max_size=20),
    st.integers(-(2**70), 2**70).map(str),
    st.lists(st.integers(-3, 70), max_size=5).map(lambda x: ",".join(map(str, x))),
)
LIMITS = st.dictionaries(
    st.one_of(st.sampled_from([rule.name for rule in RULES]), st.text(max_size=5)),
    st.one_of(
        st.dictionaries(
            st.one_of(
                st.sampled_from(sorted({name for rule in RULES for name in rule.limits})),
                st.text(max_size=5),
            ),
            st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=3)),
            max_size=2,
        ),
        st.none(),
        st.integers(),
    ),
    max_size=2,
)
RUN = st.one_of(st.just("good"), st.sampled_from(NAMES), VALUES)
SIGNAL = st.one_of(st.just("gradient_norm"), st.sampled_from(NAMES), VALUES)
LISTS = st.one_of(
    VALUES,
    st.lists(st.integers(-3, 70), min_size=1, max_size=5).map(lambda x: ",".join(map(str, x))),
)
FIELDS = st.lists(st.sampled_from(("mean", "min", "max", "x", "")), max_size=5).map(",".join)
ROUTES: dict[str, dict[str, st.SearchStrategy[str]]] = {
    "runs": {},
    "rules": {},
    "run": {"run": RUN},
    "series": {
        "run": RUN,
        "signal": SIGNAL,
        "fields": st.one_of(FIELDS, VALUES),
        "rows": LISTS,
        "steps": LISTS,
        "points": LISTS,
    },
    "flight": {"run": RUN, "signal": SIGNAL, "finding": st.one_of(st.just("root"), VALUES)},
    "replay": {"run": RUN, "limits": st.one_of(LIMITS.map(json.dumps), VALUES)},
}


@st.composite
def requests(draw: Callable[..., Any]) -> dict[str, Any]:
    """One request: mostly what a panel might send, with some of it replaced."""
    route = draw(st.sampled_from([*ROUTES, "static/", "static", "", "other"]))
    arguments = ROUTES.get(route, {"run": VALUES})
    taken = {name: draw(values) for name, values in arguments.items() if draw(st.integers(0, 4))}
    if draw(st.integers(0, 9)) == 0:
        taken[draw(st.text(max_size=8))] = draw(VALUES)
    path = ROOT + route
    if route.startswith("static"):
        name = draw(st.one_of(st.just("index.js"), VALUES))
        path += name if draw(st.booleans()) else quote(name, safe="", errors="replace")
    if draw(st.integers(0, 9)) == 0:
        path = f"/experiment/{quote(draw(st.text(max_size=9)), errors='replace')}{path}"
    query = "&".join(
        f"{quote(name, errors='replace')}={quote(value, errors='surrogatepass')}"
        for name, value in taken.items()
    )
    headers = {"Accept-Encoding": draw(st.sampled_from(("", "gzip", "gzip;q=0", "br, *")))}
    method = draw(
        st.sampled_from(("GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"))
    )
    body = draw(st.binary(max_size=30)) if method in ("POST", "PUT") else b""
    return {
        "path": path.encode(errors="replace").decode().replace("?", "%3f"),
        "query_string": query,
        "method": method,
        "headers": headers,
        "data": body,
    }


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs")
    write_run(path / "good", range(60))
    write_newer_run(path / "newer")
    writer = RunWriter(path / "strange")
    writer.write_info(info(), 0)
    odd = np.array([[np.nan, np.inf, -np.inf], [NOT_MEASURED, -0.0, 1e-45]], np.float32)
    writer.write_record(Record(0, 0, {"gradient_norm": odd}, 1, 0))
    writer.close()
    writer = RunWriter(path / "judged")
    writer.write_info(info(), 0)
    writer.write_record(record(7, 1))
    writer.write_flight(flight("root"), 7)
    writer.write_findings([finding("root", title="`<b>`", layers=("</script>",))], [], 7)
    writer.close()
    return path


@pytest.fixture(scope="module")
def server(log_dir: Path) -> Client:
    return client(log_dir)


def fingerprint(*folders: Path) -> str:
    """Of all files below some folders; the caches of Python come and go."""
    digest = hashlib.sha256()
    files = (path for folder in folders for path in sorted(folder.rglob("*")))
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def nothing_is_written(log_dir: Path) -> Iterator[None]:
    package = Path(static_files.__file__).parents[1]
    before = fingerprint(log_dir, package)
    yield
    assert fingerprint(log_dir, package) == before


def check(server: Client, request: dict[str, Any]) -> None:
    """Sends a request, and looks at everything that must hold of any answer."""
    answer = server.open(**request)
    told = (request, answer.status, answer.data[:200])
    assert answer.status_code in (200, 301, 302, 400, 404, 422), told
    if request["path"].startswith(ROOT) or answer.status_code == 200:
        assert answer.headers["Content-Type"] in TYPES, told
        assert answer.headers["X-Content-Type-Options"] == "nosniff", told
    if answer.status_code in (400, 404, 422) and request["method"] != "HEAD":
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8", told
    name = request["path"].partition("/static/")[2]
    if name and answer.status_code == 200:
        assert static_files.load(name) is not None, told


def test_no_request_breaks_the_server_or_leads_out_of_it(
    server: Client,
    nothing_is_written: None,
    record_property: Callable[[str, object], None],
) -> None:
    sent = 0
    peaks: list[int] = []

    @examples(ROUND // BATCH, ROUND // BATCH)
    @given(st.lists(requests(), min_size=BATCH, max_size=BATCH))
    def fuzz(batch: list[dict[str, Any]]) -> None:
        nonlocal sent
        for request in batch:
            check(server, request)
        sent += len(batch)
        if sent >= effort(400, 10_000) and not peaks:  # everything has been loaded once by now
            peaks.append(peak())

    with Complaints() as complaints:
        for _ in range(ROUNDS):
            fuzz()
    assert not [line for line in complaints.lines if "In 3.0" in line]
    assert sent >= ROUNDS * ROUND
    assert peak() - peaks[0] < MEMORY
    record_property("requests fuzzed", sent)


def peak() -> int:
    """Returns the largest memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("route", ROUTES)
def test_hostile_values_are_refused_with_a_sentence(server: Client, route: str, value: str) -> None:
    known = {"run": "good", "signal": "gradient_norm", "finding": "root", "limits": "{}"}
    for argument in ROUTES[route]:
        given_ = {**{name: known[name] for name in ROUTES[route] if name in known}, argument: value}
        query = "&".join(f"{n}={quote(v, errors='surrogatepass')}" for n, v in given_.items())
        check(server, {"path": ROOT + route, "query_string": query, "method": "GET", "headers": {}})


def test_a_row_or_field_named_many_times_does_not_multiply_the_answer(server: Client) -> None:
    whole = server.get(ROOT + "series?run=good&signal=gradient_norm")
    for argument in ("rows=" + ",".join(["0"] * 500), "fields=" + ",".join(["mean"] * 500)):
        answer = server.get(f"{ROOT}series?run=good&signal=gradient_norm&{argument}")
        assert answer.status_code == 400
        assert "twice" in answer.text
    assert len(whole.data) < 100_000


def test_a_run_outside_of_the_log_directory_is_unknown(tmp_path: Path) -> None:
    write_run(tmp_path / "outside", range(5))
    write_run(tmp_path / "logs" / "inside", range(5))
    server = client(tmp_path / "logs")
    for name in ("../outside", str(tmp_path / "outside"), "inside/../../outside", "./inside"):
        for route in ("run?", "series?signal=loss&", "replay?limits={}&"):
            assert server.get(f"{ROOT}{route}run={quote(name)}").status_code == 404, name


def test_experiments_that_somebody_makes_up_are_forgotten(log_dir: Path) -> None:
    runs = Runs(open_log_dir(log_dir), Engine)
    for number in range(200):
        assert "good" in runs.states(None, f"made up {number}")
    assert len(runs._listings) <= 100
