"""Logs that somebody else wrote: whatever is in them, it costs that run only, and is told why."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from werkzeug.test import Client, TestResponse

from tensorboard_gradhealth.storage.frames import array_of
from tests.effort import examples
from tests.fuzz import mutants
from tests.fuzz.app import ROOT, client
from tests.logs import write_run
from tests.tensorboard_process import tensorboard

pytestmark = pytest.mark.slow


def get(server: Client, route: str, **arguments: str) -> TestResponse:
    """Asks, and sees to it that the answer is one of those that the API knows."""
    query = "&".join(f"{n}={quote(v, errors='surrogatepass')}" for n, v in arguments.items())
    answer = server.get(f"{ROOT}{route}?{query}")
    assert answer.status_code in (200, 400, 404, 422), (route, arguments, answer.text)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return answer


def look_at(server: Client, name: str) -> str:
    """Does what a panel does with a run, and returns its verdict."""
    found = {run["run"]: run for run in get(server, "runs").json["runs"]}
    assert found["good"]["verdict"] == "healthy" and found["good"]["last_step"] == 9
    if name not in found:
        return "nothing of ours"
    answer = get(server, "run", run=name)
    assert answer.status_code == 200, answer.text
    run = json.loads(answer.text)
    assert run["verdict"] == found[name]["verdict"]
    assert (run["verdict"] == "unreadable") == bool(run["reason"])
    for signal in run["signals"]:
        get(server, "series", run=name, signal=str(signal["name"]), points="10")
    for item in run["flights"]:
        for one in item["findings"]:
            get(server, "flight", run=name, finding=str(one), signal="loss")
    get(server, "replay", run=name, limits='{"dead_units": {"warning": 0.3}}')
    return str(run["verdict"])


def test_a_mutated_log_costs_that_run_only(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    events = mutants.valid_events(tmp_path / "valid")
    verdicts: dict[str, int] = {}

    @examples(200, 4_000)
    @given(mutants.mutants(events))
    def fuzz(payloads: list[bytes]) -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            write_run(Path(folder) / "good", range(10))
            mutants.write(Path(folder) / "mutant", payloads)
            verdict = look_at(client(Path(folder)), "mutant")
        verdicts[verdict] = verdicts.get(verdict, 0) + 1

    fuzz()
    assert verdicts["unreadable"] > sum(verdicts.values()) / 10
    record_property("logs fuzzed", sum(verdicts.values()))


@pytest.mark.parametrize("size", [2**33, 2**62])
def test_a_few_bytes_cannot_claim_all_memory(tmp_path: Path, size: int) -> None:
    events = mutants.valid_events(tmp_path / "valid")
    tensor = next(v.tensor for e in events for v in e.summary.value if v.tensor.dtype == 1)
    tensor.ClearField("tensor_content")
    tensor.float_val.append(1.0)
    tensor.tensor_shape.dim[0].size = size
    with pytest.raises(ValueError, match="elements"):
        array_of(tensor)
    write_run(tmp_path / "good", range(10))
    mutants.write(tmp_path / "mutant", [event.SerializeToString() for event in events])
    server = client(tmp_path)
    look_at(server, "mutant")
    answer = get(server, "series", run="mutant", signal="gradient_norm")
    assert answer.status_code == 422 and "elements" in answer.text


def test_tensorboard_lives_with_mutated_logs(
    tmp_path: Path, loader_flags: tuple[str, ...], record_property: Callable[[str, object], None]
) -> None:
    events = mutants.valid_events(tmp_path / "valid")
    count = 0

    @examples(40, 150)
    @given(mutants.mutants(events, messages_only=bool(loader_flags)).filter(_small))
    def write_mutants(payloads: list[bytes]) -> None:
        nonlocal count
        mutants.write(tmp_path / f"mutant {count}", payloads)
        count += 1

    write_mutants()
    write_run(tmp_path / "good", range(10))
    with tensorboard(tmp_path, *loader_flags) as server:
        summaries = server.wait_for_runs("good", "valid")
        assert summaries["good"]["verdict"] == "healthy"
        for name, summary in summaries.items():
            run = server.run(name)
            assert (run["verdict"] == "unreadable") == bool(summary["reason"]), run
            for signal in run["signals"]:
                answer = server.plugin("series", run=name, signal=str(signal["name"]) or "-")
                assert answer.status in (200, 400, 404, 422), answer.text
        assert "Traceback" not in server.log()
    record_property("logs fuzzed", count)


def _small(payloads: list[bytes]) -> bool:
    """TensorBoard itself makes room for whatever a shape claims, before a plugin is asked."""
    return not any(size in payload for payload in payloads for size in _LARGE)


_LARGE = (b"\x80\x80\x80\x80",)
"""What sizes from 2**28 on look like in a message."""


@pytest.mark.parametrize("name", mutants.MARKUP)
def test_names_are_passed_on_as_they_are_and_never_as_markup(tmp_path: Path, name: str) -> None:
    events = mutants.valid_events(tmp_path / "valid")
    for event in events:
        for value in event.summary.value:
            if value.tensor.string_val:
                text = value.tensor.string_val[0].decode()
                renamed = text.replace('"a/kernel"', json.dumps(name)).replace(
                    '"About `root`"', json.dumps(name)
                )
                value.tensor.string_val[0] = renamed.encode()
    write_run(tmp_path / "good", range(10))
    mutants.write(tmp_path / "mutant", [event.SerializeToString() for event in events])
    answer = get(client(tmp_path), "run", run="mutant")
    assert answer.headers["Content-Type"] == "application/json"
    run = json.loads(answer.text)
    assert run["rows"]["variable"][0]["name"] == name
    assert run["headline"] == name
