"""The command `gradhealth`: what it prints, and the exit status that a CI job sees."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tensorboard_gradhealth import cli
from tensorboard_gradhealth.rules import RULES
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Evidence, Finding, Fix, RuleState
from tests import logs

STATES = [RuleState("dead_units", "GH401", "firing"), RuleState("loss_spike", "GH605", "clean")]


def _write(path: Path, *findings: Finding) -> None:
    writer = RunWriter(path)
    writer.write_info(logs.info(), 0)
    writer.write_record(logs.record(0, 1))
    writer.write_findings(list(findings), STATES, 0)
    writer.close()


def _finding(severity: str, **changes: object) -> Finding:
    given = {
        "severity": severity,
        "evidence": (Evidence("loss", float("nan"), None, "", "loss", 1),),
        "fixes": (Fix("Lower it.", "rate = 0.1"),),
    }
    return logs.finding(**{**given, **changes})


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """A healthy run, and one with a warning and its consequence."""
    _write(tmp_path / "good")
    effect = logs.finding("loss_spike", caused_by="dead_units", severity="info")
    _write(tmp_path / "sick", _finding("warning", cause_of=("loss_spike",)), effect)
    return tmp_path


@pytest.mark.parametrize(
    ("severity", "fail_on", "status"),
    [
        ("info", "warning", 0),
        ("warning", "warning", 1),
        ("error", "warning", 1),
        ("warning", "error", 0),
        ("error", "error", 1),
        ("error", "never", 0),
    ],
)
def test_the_exit_status_follows_the_worst_finding(
    tmp_path: Path, severity: str, fail_on: str, status: int
) -> None:
    _write(tmp_path / "good")
    _write(tmp_path / "sick", _finding(severity))
    assert cli.main(["check", str(tmp_path), "--fail-on", fail_on]) == status


def test_a_finding_that_is_over_counts(tmp_path: Path) -> None:
    _write(tmp_path, _finding("error", open=False))
    assert cli.main(["check", str(tmp_path)]) == cli.FOUND


def test_every_run_below_the_directory_is_told(
    log_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["check", str(log_dir)])
    out = capsys.readouterr().out
    assert out.startswith("Healthy in good: nothing was found.\n")
    assert "WARNING GH999 dead_units | run sick | steps 1 to 2, still open\n" in out
    assert "               rate = 0.1\n" in out
    assert "due to    dead_units" in out
    assert out.endswith("\n2 runs: 1 warning, 1 healthy.\n")


def test_json_is_valid_whatever_was_measured(
    log_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["check", str(log_dir), "--format", "json"])

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    good, sick = json.loads(capsys.readouterr().out, parse_constant=refuse)["runs"]
    assert (good["run"], good["verdict"], good["findings"]) == ("good", "healthy", [])
    assert good["rules"][1] == {
        "rule": "loss_spike",
        "code": "GH605",
        "state": "clean",
        "reason": "",
    }
    assert (sick["verdict"], len(sick["findings"])) == ("warning", 2)
    assert sick["findings"][0]["evidence"][0]["value"] == "NaN"


def test_markdown_has_a_row_for_each_finding(
    log_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["check", str(log_dir), "--format", "markdown"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "**Gradient Health:** 2 runs: 1 warning, 1 healthy."
    assert lines[-2:] == [
        "| warning | GH999 `dead_units` | About `dead_units` | 1 | Lower it. |",
        "| info | GH999 `loss_spike` | leads to About `loss_spike` | 1 |  |",
    ]


def test_github_gets_an_annotation_for_each_root_cause(
    log_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["check", str(log_dir), "--format", "github"])
    assert capsys.readouterr().out.splitlines() == [
        "::warning title=GH999 dead_units in sick::About `dead_units`. Lower it.",
        "2 runs: 1 warning, 1 healthy.",
    ]


@pytest.mark.parametrize("layout", ["text", "json", "markdown", "github"])
def test_names_cannot_inject_commands_or_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    hostile = "a\n::error::b | c <script>\x1b[2J 100%0A,:"
    _write(tmp_path, _finding("error", title=hostile))
    cli.main(["check", str(tmp_path), "--format", layout])
    out = capsys.readouterr().out
    assert not any(line.startswith("::error::b") for line in out.splitlines())
    assert "\x1b" not in out
    if layout == "markdown":
        assert "<script>" not in out
        assert "b \\| c" in out
    if layout == "github":
        assert "100%250A" in out


def test_a_run_that_cannot_be_read_is_told_beside_the_others(
    log_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.write_newer_run(log_dir / "newer")
    assert cli.main(["check", str(log_dir)]) == cli.UNUSABLE
    out = capsys.readouterr().out
    assert "newer cannot be read: " in out
    assert "run sick" in out
    assert out.endswith("\n3 runs: 1 warning, 1 unreadable, 1 healthy.\n")


@pytest.mark.parametrize("layout", ["json", "markdown", "github"])
def test_every_format_says_that_a_run_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    logs.write_newer_run(tmp_path / "newer")
    assert cli.main(["check", str(tmp_path), "--format", layout]) == cli.UNUSABLE
    assert "newer" in capsys.readouterr().out


def test_a_log_without_findings_is_judged_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sick = {rule.name: rule.sick[0] for rule in RULES}["dead_units"]
    writer = RunWriter(tmp_path)
    writer.write_info(sick.info, 0)
    for record in sick.records:
        writer.write_record(record)
    writer.close()
    assert cli.main(["check", str(tmp_path)]) == cli.FOUND
    assert "found afterwards" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "nowhere"], "nowhere"),
        (["check", "."], "'.' holds no run of Gradient Health."),
        (["explain", "dead_unit"], "no rule 'dead_unit'. Did you mean dead_units? The rules are"),
        (["explain", "zzz"], "there is no rule 'zzz'. The rules are: nonfinite_inputs, "),
    ],
)
def test_what_cannot_be_done_is_said_on_the_error_stream(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == cli.UNUSABLE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gradhealth: ")
    assert message in err


@pytest.mark.parametrize("arguments", [[], ["chekc"], ["check", ".", "--format", "xml"]])
def test_wrong_usage_exits_as_argparse_does(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(arguments)
    assert raised.value.code == cli.UNUSABLE
    assert "usage: gradhealth" in capsys.readouterr().err


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_explains_itself_by_name_and_by_code(
    rule: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["explain", rule.name]) == 0  # type: ignore[attr-defined]
    by_name = capsys.readouterr().out
    assert cli.main(["explain", rule.code]) == 0  # type: ignore[attr-defined]
    assert capsys.readouterr().out == by_name
    assert by_name.startswith(f"{rule.code} {rule.name}\n")  # type: ignore[attr-defined]
    assert all(f"  {name} = " in by_name for name in rule.limits)  # type: ignore[attr-defined]
    assert "## False alarms" in by_name


def test_names_that_the_terminal_cannot_show_do_not_stop_it(tmp_path: Path) -> None:
    _write(tmp_path, _finding("error", title="About `d\u00e9nse_\u4e2d`"))
    command = [sys.executable, "-m", "tensorboard_gradhealth.cli", "check", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == cli.FOUND
    assert b"About `d\\xe9nse_\\u4e2d`" in done.stdout


def test_tensorflow_is_not_needed(log_dir: Path) -> None:
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from tensorboard_gradhealth.cli import main\n"
        f"sys.exit(main(['check', {str(log_dir)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (cli.FOUND, "")
    assert done.stdout.endswith("2 runs: 1 warning, 1 healthy.\n")
