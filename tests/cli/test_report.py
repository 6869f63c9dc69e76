"""`gradhealth report`: one page that stands for itself, and what it says of each run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tensorboard_gradhealth import cli
from tensorboard_gradhealth.rules import RULES, Rule
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import NOT_MEASURED, Evidence, Fix, Row
from tests import logs
from tests.cli import reported_runs as runs
from tests.cli.page_reader import PageReader


def _report(log_dir: Path, status: int = 0) -> PageReader:
    path = log_dir.parent / "report.html"
    assert cli.main(["report", str(log_dir), "-o", str(path)]) == status
    return PageReader(path.read_text("utf-8"))


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    runs.write_case(tmp_path / "logs" / "sick", "vanishing_gradients")
    page = _report(tmp_path / "logs")
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.elements}
    addresses = [given.get("src") or "" for _, given in page.elements if "src" in given]
    assert addresses
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    [policy] = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_a_story_tells_cause_evidence_fix_and_consequence(tmp_path: Path) -> None:
    root = runs.vanishing(
        cause_of=("loss_plateau",),
        fixes=(Fix("Use a `relu`.", "keras.layers.ReLU()"),),
        harmless="Early in training.",
    )
    effect = logs.finding("loss_plateau", title="The loss stays", caused_by="vanishing_gradients")
    norms = np.arange(10.0)[:, np.newaxis] * np.ones(2)
    runs.write_norms(tmp_path / "logs", norms, findings=[root, effect])
    page = _report(tmp_path / "logs")
    assert "Ill : Almost no gradient reaches a/kernel" in page.text
    assert "since step 5, still open found during training" in page.text
    assert "gradient norm a/kernel at step 5 5 4" in page.text
    assert "Gradient norm of a/kernel limit 4" in page.text
    assert "Use a relu . keras.layers.ReLU()" in page.text
    assert "Harmless when Early in training." in page.text
    assert page.text.index("Explains 1 other finding") < page.text.index("The loss stays")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_told_with_its_fixes_and_explained(tmp_path: Path, rule: Rule) -> None:
    runs.write_case(tmp_path / "logs", rule.name)
    page = _report(tmp_path / "logs")
    assert "found in the log" in page.text
    assert "What to try, in this order" in page.text
    assert page.all("article", id=f"rule-{rule.name}")
    assert page.all("a", href=f"#rule-{rule.name}")
    assert "How it is measured" in page.text


def test_a_link_within_the_page_leads_somewhere(tmp_path: Path) -> None:
    runs.write_case(tmp_path / "logs" / "one", "dead_units")
    runs.write_case(tmp_path / "logs" / "two", "loss_divergence")
    page = _report(tmp_path / "logs")
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(ids) == len(set(ids))
    links = {(given["href"] or "")[1:] for _, given in page.elements if "href" in given}
    assert links <= set(ids)


def test_names_are_text_whatever_they_hold(tmp_path: Path) -> None:
    runs.write_hostile(tmp_path / "logs" / runs.MARKUP.replace("/", ""))
    page = _report(tmp_path / "logs")
    assert not any(key.startswith("on") for _, given in page.elements for key in given)
    assert page.all("img", src="x") == []
    assert page.text.count("<img src=x onerror=alert(1)>") > 5
    assert not any("javascript:" in (given.get("href") or "") for _, given in page.elements)
    assert "\x00" not in page.text
    assert {given.get("dir") for given in page.all("code")} == {"auto"}


def test_what_is_not_a_number_is_said_and_has_a_key_of_its_own(tmp_path: Path) -> None:
    runs.write_hostile(tmp_path / "logs")
    text = _report(tmp_path / "logs").text
    for words in ("NaN", "+Inf", "\u2212Inf", "exactly 0", "not measured"):
        assert f" {words} " in text


@pytest.mark.parametrize("norm", [np.nan, np.inf, -1.0, 0.0, 3e38, 1e-45, NOT_MEASURED])
@pytest.mark.parametrize("steps", [1, 5])
def test_any_number_can_be_drawn(tmp_path: Path, norm: float, steps: int) -> None:
    evidence = Evidence("loss", norm, float("nan"), "", "loss", 0)
    found = runs.vanishing(first_step=-1, last_step=10**15, open=False, evidence=(evidence,))
    runs.write_norms(tmp_path / "logs", np.full((steps, 2), norm), findings=[found])
    assert "Gradient norm" in _report(tmp_path / "logs").text


def test_a_run_without_a_single_point_is_said_to_be_not_measured(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "logs")
    writer.write_info(logs.info(), 0)
    writer.close()
    page = _report(tmp_path / "logs")
    assert "Not measured" in page.text
    assert "dead fraction The model has no activations." in page.text
    assert page.all("img") == []


def test_a_run_of_the_directory_itself_has_its_name(tmp_path: Path) -> None:
    runs.write_norms(tmp_path / "logs", np.ones((3, 2)))
    assert cli.main(["report", str(tmp_path / "logs"), "-o", str(tmp_path / "x.html")]) == 0
    text = (tmp_path / "x.html").read_text("utf-8")
    assert '<h2 class="run-name"><bdi>logs</bdi></h2>' in text


def test_the_map_frames_the_layer_and_the_steps_of_a_finding(tmp_path: Path) -> None:
    runs.write_norms(tmp_path / "logs", np.ones((10, 2)), findings=[runs.vanishing("b/kernel")])
    page = _report(tmp_path / "logs")
    [frame] = page.all("i", class_="frame")
    assert frame["style"] == "left:50.00%;width:50.00%;top:16px;height:15px"
    assert len(page.all("div", class_="touched")) == 1


def test_values_that_are_not_usual_stand_out_in_the_table(tmp_path: Path) -> None:
    norms = np.array([[1.0, 1e-9]])
    runs.write_norms(tmp_path / "logs", norms)
    page = _report(tmp_path / "logs")
    assert len(page.all("td", class_="number unusual")) == 1
    assert "b/kernel kernel, 8 1e-9" in page.text


def test_rules_that_could_not_judge_say_why(tmp_path: Path) -> None:
    runs.write_norms(tmp_path / "logs", np.ones((3, 2)))
    text = _report(tmp_path / "logs").text
    assert "Not evaluated Overfitting GH606 no validation_loss yet" in text


def test_a_healthy_run_is_one_line_and_its_charts(tmp_path: Path) -> None:
    runs.write_norms(tmp_path / "logs", np.ones((3, 2)))
    page = _report(tmp_path / "logs")
    assert " Healthy last step 2 3 points " in page.text
    assert "Findings" not in page.text
    assert "Loss went from 1 loss to 1 loss." in page.text


def test_several_runs_have_an_overview_the_sick_first(tmp_path: Path) -> None:
    runs.write_norms(tmp_path / "logs" / "a_good", np.ones((3, 2)))
    runs.write_norms(tmp_path / "logs" / "b_sick", np.ones((9, 2)), findings=[runs.vanishing()])
    over = runs.vanishing(open=False)
    runs.write_norms(tmp_path / "logs" / "c_over", np.ones((9, 2)), findings=[over])
    logs.write_newer_run(tmp_path / "logs" / "d_newer")
    page = _report(tmp_path / "logs", status=cli.UNUSABLE)
    total = "4 runs: 1 with a warning, 1 unreadable, 1 was ill, has recovered, 1 healthy"
    assert total in page.text
    order = [page.text.index(name) for name in ("b_sick", "d_newer", "c_over", "a_good")]
    assert order == sorted(order)


def test_an_unreadable_run_says_why_and_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.write_newer_run(tmp_path / "logs" / "newer")
    runs.write_norms(tmp_path / "logs" / "good", np.ones((3, 2)))
    page = _report(tmp_path / "logs", status=cli.UNUSABLE)
    assert "Unreadable : " in page.text
    assert "Upgrade" in page.text
    assert capsys.readouterr().out.endswith(": 2 runs: 1 unreadable, 1 healthy.\n")


def test_a_rule_that_fails_on_a_log_costs_that_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.write_norms(tmp_path / "logs", np.ones((3, 2)))

    def fail(reader: object) -> None:
        raise ZeroDivisionError("by a rule")

    monkeypatch.setattr(cli, "judge", fail)
    page = _report(tmp_path / "logs", status=cli.UNUSABLE)
    assert "The rules failed on this run: ZeroDivisionError('by a rule')" in page.text


def test_a_damaged_signal_is_named_and_the_rest_is_drawn(tmp_path: Path) -> None:
    logs.write_run(tmp_path / "logs", range(3))
    runs.write_norms(tmp_path / "other", np.ones((3, 5)))
    for path in (tmp_path / "other").iterdir():
        path.rename(tmp_path / "logs" / f"{path.name}.later")
    text = _report(tmp_path / "logs", status=0).text
    assert "gradient_norm cannot be drawn: " in text
    assert "Loss went from " in text


def test_many_long_runs_make_a_small_page_that_says_what_it_leaves_out(tmp_path: Path) -> None:
    rows = [Row(f"block_{i}/kernel", f"block_{i}", "kernel") for i in range(60)]
    norms = np.exp(np.random.default_rng(0).normal(size=(300, 60)))
    for number in range(3):
        runs.write_norms(tmp_path / "logs" / f"run_{number}", norms, rows)
    page = _report(tmp_path / "logs")
    assert "300 points, drawn as 160: neighbours are joined" in page.text
    assert "48 of 60 rows" in page.text
    size = (tmp_path / "report.html").stat().st_size
    assert size / 3 < 120_000


def test_it_can_be_piped(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    runs.write_norms(tmp_path, np.ones((3, 2)))
    assert cli.main(["report", str(tmp_path), "-o", "-"]) == 0
    out = capsysbinary.readouterr().out
    assert out.startswith(b"<!doctype html>\n<html")
    assert out.endswith(b"</html>\n")


@pytest.mark.parametrize(
    ("log_dir", "output", "message"),
    [
        ("nowhere", "x.html", "nowhere"),
        ("empty", "x.html", "'empty' holds no run of Gradient Health."),
        (
            "logs",
            "no/such/x.html",
            "'no/such/x.html' cannot be written: No such file or directory.",
        ),
        ("logs", "empty", "'empty' cannot be written: Is a directory."),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log_dir: str,
    output: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    runs.write_norms(tmp_path / "logs", np.ones((3, 2)))
    assert cli.main(["report", log_dir, "-o", output]) == cli.UNUSABLE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.match("gradhealth: .*" + re.escape(message), captured.err)
    assert not (tmp_path / "x.html").exists()


def test_tensorflow_is_not_needed(tmp_path: Path) -> None:
    runs.write_norms(tmp_path / "logs", np.ones((3, 2)))
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from tensorboard_gradhealth.cli import main\n"
        f"sys.exit(main(['report', {str(tmp_path / 'logs')!r}]))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "report.html: 1 run: 1 healthy.\n"
    assert (tmp_path / "report.html").exists()
