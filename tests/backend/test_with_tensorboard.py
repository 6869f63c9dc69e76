"""Everything again through a real TensorBoard, with each of its two ways to load a log."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import NOT_MEASURED, Evidence, Record, RuleState
from tests.logs import finding, flight, info, record, write_newer_run, write_run
from tests.tensorboard_process import PREFIX, TensorBoard, decode_series, tensorboard

pytestmark = pytest.mark.slow

STRANGE = np.array([[np.nan, np.inf, -np.inf], [NOT_MEASURED, -0.0, 1e-45]], np.float32)

RUNS = ("long", "flown", "resumed", "strange", "judged", "newer", "damaged", "truncated")


def write_strange(log_dir: Path) -> None:
    writer = RunWriter(log_dir)
    writer.write_info(info(), 0)
    writer.write_record(Record(0, 0, {"gradient_norm": STRANGE}, 1, 0))
    writer.close()


def write_flown(log_dir: Path) -> None:
    """Flies twice, then goes back to a checkpoint between the two and flies again."""
    for steps, fly_at in ((range(20), (5, 15)), (range(10, 20), (12, 13))):
        writer = RunWriter(log_dir)
        writer.write_info(info(), steps[0])
        for step in steps:
            writer.write_record(record(step, step + 1))
            if step in fly_at:
                writer.write_flight(flight(f"at {step}", first_step=step - 4), step)
        writer.close()


def write_judged(log_dir: Path) -> None:
    evidence = (Evidence("gradient norm", float("nan"), float("inf")),)
    findings = [
        finding("consequence", severity="error", caused_by="root"),
        finding("root", title="The root of `<b>it</b>`", cause_of=("consequence",)),
        finding("apart", severity="info", evidence=evidence),
    ]
    writer = RunWriter(log_dir)
    writer.write_info(info(), 0)
    writer.write_record(record(0, 1))
    writer.write_findings(findings, [RuleState("root", "GH999", "firing")], 0)
    writer.close()


def write_damaged(log_dir: Path) -> None:
    writer = RunWriter(log_dir)
    writer.write_info(info(), 0)
    writer.write_record(record(0, 1, rows=5))
    writer.close()


def write_truncated(log_dir: Path) -> None:
    write_run(log_dir, range(20))
    [path] = log_dir.glob("*tfevents*")
    path.write_bytes(path.read_bytes()[:-100])


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs")
    write_run(path / "long", range(3000))
    write_run(path / "resumed", range(100))
    write_run(path / "resumed", range(50, 150), value=0.5)
    write_flown(path / "flown")
    write_strange(path / "strange")
    write_judged(path / "judged")
    write_newer_run(path / "newer")
    write_damaged(path / "damaged")
    write_truncated(path / "truncated")
    return path


SAMPLES = "--gradhealth_samples=3000"


@pytest.fixture(
    scope="module",
    params=[(), (SAMPLES,), (SAMPLES, "--load_fast=false")],
    ids=["files", "data_server", "in_process"],
)
def server(request: pytest.FixtureRequest, log_dir: Path) -> Iterator[TensorBoard]:
    with tensorboard(log_dir, *request.param) as running:
        running.wait_for_runs(*RUNS)
        running.wait_for(lambda: running.run("long")["kept"] == 3000 or None)
        yield running


def test_plugin_is_active_and_named(server: TensorBoard) -> None:
    listing = server.get("data/plugins_listing").json
    assert listing["gradhealth"]["enabled"]
    assert listing["gradhealth"]["tab_name"] == "Gradient Health"


def test_every_logged_point_is_visible(server: TensorBoard) -> None:
    series = server.series("long", "gradient_norm")
    assert series.steps.tolist() == list(range(3000))
    assert series.values.shape == (3, 2, 3000)
    np.testing.assert_array_equal(series.values[0, 0], np.arange(3000))


def test_resumed_run_is_the_same_whoever_loads_it(server: TensorBoard) -> None:
    series = server.series("resumed", "loss", fields="mean")
    assert series.steps.tolist() == list(range(150))
    expected = [*range(50), *np.arange(50, 150) + 0.5]
    np.testing.assert_array_equal(series.values[0, 0], expected)
    answer = server.run("resumed")
    assert (answer["kept"], answer["written"], answer["notes"]) == (150, 150, [])


def test_flights_are_the_same_whoever_loads_them(server: TensorBoard) -> None:
    flights = server.run("flown")["flights"]
    assert [item["findings"] for item in flights] == [["at 5"], ["at 12"], ["at 13"]]
    answer = server.plugin("flight", run="flown", finding="at 12", signal="gradient_norm")
    got = decode_series(answer.body)
    assert got.header["fields"] == ["value"]
    assert got.steps.tolist() == got.first_steps.tolist() == [8, 9, 10, 11, 12]
    np.testing.assert_allclose(got.values[0, 1], [8.1, 9.1, 10.1, 11.1, 12.1], rtol=1e-6)


def test_non_finite_numbers_arrive_as_measured(server: TensorBoard) -> None:
    series = server.series("strange", "gradient_norm")
    got = series.values[:, :, 0].T.astype(np.float32)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(STRANGE))
    np.testing.assert_array_equal(got.view(np.uint32)[1:], STRANGE.view(np.uint32)[1:])
    np.testing.assert_array_equal(got[0, 1:], [np.inf, -np.inf])


def test_stored_findings_are_served_root_causes_first(server: TensorBoard) -> None:
    answer = server.run("judged")
    assert [item["id"] for item in answer["findings"]] == ["root", "consequence", "apart"]
    assert answer["headline"] == "The root of `<b>it</b>`"
    assert (answer["verdict"], answer["origin"]) == ("error", "live")
    [evidence] = answer["findings"][2]["evidence"]
    assert (evidence["value"], evidence["limit"]) == ("NaN", "Infinity")
    assert answer["rules"] == [{"rule": "root", "code": "GH999", "state": "firing", "reason": ""}]


def test_run_without_findings_is_judged_by_the_rules(server: TensorBoard) -> None:
    answer = server.run("long")
    assert answer["origin"] == "replay"
    assert answer["rules"]


def test_newer_log_asks_for_an_upgrade(server: TensorBoard) -> None:
    answer = server.run("newer")
    assert answer["verdict"] == "unreadable"
    assert "pip install --upgrade" in answer["reason"]
    assert server.plugin("series", run="newer", signal="loss").status == 422
    assert server.log().count("'newer'") == 1


def test_damaged_run_is_unreadable_and_says_why(server: TensorBoard) -> None:
    answer = server.run("damaged")
    assert answer["verdict"] == "unreadable"
    assert "float32 [5, 3]" in answer["reason"]
    refused = server.plugin("series", run="damaged", signal="gradient_norm")
    assert (refused.status, "float32 [5, 3]" in refused.text) == (422, True)
    assert server.plugin("series", run="damaged", signal="loss").status == 200


def test_truncated_file_is_shown_up_to_the_damage(server: TensorBoard) -> None:
    assert server.series("truncated", "loss").steps.tolist() == list(range(19))


def test_runs_lists_them_all(server: TensorBoard) -> None:
    answer = server.plugin("runs").json
    assert [item["run"] for item in answer["runs"]] == sorted(RUNS)
    assert answer["version"]


@pytest.mark.parametrize(
    ("route", "arguments", "status", "sentence"),
    [
        ("run", {"run": "nope"}, 404, "There is no run 'nope'"),
        ("series", {"run": "nope", "signal": "loss"}, 404, "There is no run 'nope'"),
        ("series", {"run": "long", "signal": "nope"}, 404, "There is no signal 'nope'"),
        ("series", {"run": "long", "signal": "loss", "fields": "x"}, 400, "has no field 'x'"),
        ("series", {"run": "long"}, 400, "'signal' is missing"),
        ("run", {}, 400, "'run' is missing"),
        ("series", {"run": "long", "signal": "loss", "rows": "x"}, 400, "give whole numbers"),
        ("series", {"run": "long", "signal": "loss", "steps": "5"}, 400, "the first and the last"),
        ("replay", {"run": "long"}, 400, "'limits' is missing"),
        ("replay", {"run": "long", "limits": "{"}, 400, "Expecting"),
        ("replay", {"run": "long", "limits": '{"nope": {}}'}, 400, "nope"),
        ("flight", {"run": "long"}, 400, "'finding' is missing"),
        ("flight", {"run": "long", "finding": "x"}, 400, "'signal' is missing"),
        ("flight", {"run": "long", "finding": "x", "signal": "loss"}, 404, "kept for 'x'"),
    ],
)
def test_mistakes_are_answered_with_a_sentence(
    server: TensorBoard, route: str, arguments: dict[str, str], status: int, sentence: str
) -> None:
    answer = server.plugin(route, **arguments)
    assert answer.status == status
    assert sentence in answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_rules_are_replayed_with_other_limits(server: TensorBoard) -> None:
    described = server.plugin("rules").json["rules"]
    assert {"rule", "code", "limits", "summary"} <= set(described[0])
    answer = server.plugin("replay", run="long", limits='{"dead_units": {"warning": 0.25}}').json
    assert answer["limits"] == {"dead_units": {"warning": 0.25}}
    assert [state["rule"] for state in answer["rules"]]


def test_a_part_of_a_signal_is_sent_alone(server: TensorBoard) -> None:
    part = {"rows": "1", "points": "100", "steps": "1000,1999"}
    series = server.series("long", "gradient_norm", **part)
    assert series.values.shape == (3, 1, 100)
    assert (series.first_steps[0], series.steps[-1]) == (1000, 1999)


@pytest.mark.parametrize(
    ("route", "arguments"),
    [
        ("runs", {}),
        ("run", {"run": "long"}),
        ("series", {"run": "long", "signal": "gradient_norm"}),
        ("flight", {"run": "flown", "finding": "at 12", "signal": "loss"}),
        ("static/index.js", {}),
    ],
)
def test_an_answer_that_a_browser_has_is_not_sent_again(
    server: TensorBoard, route: str, arguments: dict[str, str]
) -> None:
    tag = server.plugin(route, **arguments).headers["ETag"]
    url = f"{server.url}{PREFIX}{route}?{urllib.parse.urlencode(arguments)}"
    request = urllib.request.Request(url, headers={"If-None-Match": tag})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError, match="304") as answer:
        direct.open(request, timeout=60)
    assert answer.value.headers["ETag"] == tag
    assert "Content-Type header" not in server.log()


def test_entry_of_the_frontend_is_a_module(server: TensorBoard) -> None:
    answer = server.plugin("static/index.js")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "render" in answer.text


@pytest.mark.parametrize(
    "name",
    ["../plugin.py", "%2e%2e%2fplugin.py", "..%2f..%2ftypes.py", "/etc/passwd", "nope.js", ""],
)
def test_only_packaged_files_are_served(server: TensorBoard, name: str) -> None:
    assert server.plugin(f"static/{name}").status == 404


def test_choice_of_the_user_wins_and_the_loss_of_points_is_told(
    log_dir: Path, loader_flags: tuple[str, ...]
) -> None:
    with tensorboard(log_dir, "--samples_per_plugin=gradhealth=50", *loader_flags) as running:
        running.wait_for_runs(*RUNS)
        answer = running.wait_for(
            lambda: found if (found := running.run("long"))["last_step"] == 2999 else None
        )
        assert (answer["kept"], answer["written"]) == (50, 3000)
        assert "Showing 50 of 3000" in answer["notes"][0]
        assert len(running.series("long", "loss").steps) == 50


def test_default_shows_a_run_of_ordinary_length_whole(
    tmp_path: Path, loader_flags: tuple[str, ...]
) -> None:
    write_run(tmp_path / "run", range(1500))
    with tensorboard(tmp_path, "--path_prefix=/behind/proxy", *loader_flags) as running:
        behind = TensorBoard(running.url + "behind/proxy/", running.log)
        behind.wait_for_runs("run")
        behind.wait_for(lambda: behind.run("run")["kept"] == 1500 or None)


@pytest.mark.parametrize("samples", [(), (SAMPLES,)], ids=["read_by_us", "read_by_tensorboard"])
def test_run_that_grows_is_followed(
    tmp_path: Path, loader_flags: tuple[str, ...], samples: tuple[str, ...]
) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.write_record(record(0, 1))
    writer.flush()
    with tensorboard(tmp_path, *loader_flags, *samples) as running:
        running.wait_for_runs(".")
        writer.write_record(record(1, 2))
        writer.write_findings([finding()], [], 1)
        answer = running.wait_for(
            lambda: found if (found := running.run("."))["last_step"] == 1 else None
        )
        assert running.wait_for(lambda: running.run(".")["findings"] or None)
        assert answer["kept"] == 2
    writer.close()
