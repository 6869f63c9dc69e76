"""docs/http_api.md says what the server does: the routes, their arguments, and every field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from werkzeug.test import Client

from tensorboard_gradhealth.backend.plugin import GradientHealthPlugin
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Flight, RuleState
from tests import logs
from tests.docs import pages
from tests.fuzz.app import client
from tests.tensorboard_process import PREFIX

PAGE = pages.ROOT / "docs" / "http_api.md"
HEADINGS = re.findall(r"^## `GET (\S+?)(?:\?(.*))?`$", PAGE.read_text("utf-8"), re.MULTILINE)
ROUTES = {route: parse_qs(query) for route, query in HEADINGS}
FREE = ("facts", "limits", "rows")
"""Objects whose names are those of a run or a rule."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Serves a run that has everything: findings with all their parts, states, and a flight."""
    folder = tmp_path_factory.mktemp("logs")
    finding = logs.finding(
        evidence=(Evidence("dead units", 0.9, 0.5, "", "loss", 1),),
        causes=(Cause("too fast"),),
        fixes=(Fix("Slow down.", "rate = 0.1"),),
    )
    writer = RunWriter(folder / "cnn")
    writer.write_info(logs.info(), 0)
    writer.write_record(logs.record(0, 1))
    writer.write_findings([finding], [RuleState(finding.rule, finding.code, "firing")], 0)
    flight = {"loss": np.zeros((1, 1), np.float32)}
    writer.write_flight(Flight((finding.id,), 0, flight), 0)
    writer.close()
    return client(folder)


def ask(server: Client, route: str, **arguments: str) -> Any:
    return server.get(f"/{PREFIX}{route}", query_string={"run": "cnn", **arguments})


def documented(route: str) -> Any:
    text = re.split(rf"^## `GET {route}\b", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1]
    block = re.search(r"```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return json.loads(block[1])


def names(value: Any, at: str = "") -> set[str]:
    """Returns the paths of all names in an answer; of a list, those of all its members."""
    if isinstance(value, list):
        return set().union(*(names(item, at) for item in value))
    if not isinstance(value, dict):
        return set()
    below = [names(item, f"{at}.{name}") for name, item in value.items() if name not in FREE]
    return {f"{at}.{name}" for name in value}.union(*below)


def test_every_route_is_documented_and_no_other() -> None:
    served = GradientHealthPlugin.get_plugin_apps(object.__new__(GradientHealthPlugin))
    documented_routes = {f"/{route}".replace("index.js", "*") for route in ROUTES}
    assert set(served) == documented_routes


@pytest.mark.parametrize("route", ["runs", "run", "rules", "replay"])
def test_an_answer_has_the_names_that_are_documented(server: Client, route: str) -> None:
    limits = {"limits": '{"dead_units": {"warning": 0.3}}'} if route == "replay" else {}
    answer, told = names(ask(server, route, **limits).json), names(documented(route))
    if route == "replay":  # its findings and rules are those of `GET run`
        answer = {name for name in answer if name.count(".") == 1}
    assert answer == told


@pytest.mark.parametrize("route", ["series", "flight", "replay"])
def test_documented_arguments_are_taken(server: Client, route: str) -> None:
    arguments = {name: values[0] for name, values in ROUTES[route].items()}
    arguments |= {"signal": "loss", "fields": "mean"} if "signal" in arguments else {}
    answer = ask(server, route, **arguments)
    assert answer.status_code == 200, answer.text


def test_an_unknown_name_is_404_and_a_bad_argument_400(server: Client) -> None:
    assert ask(server, "run", run="none").status_code == 404
    assert ask(server, "series", signal="loss", points="many").status_code == 400
    assert ask(server, "run", run="").status_code == 400


def test_a_run_of_a_later_version_is_422(tmp_path: Path) -> None:
    logs.write_newer_run(tmp_path / "cnn")
    assert ask(client(tmp_path), "series", signal="loss").status_code == 422
