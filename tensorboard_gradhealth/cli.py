"""The command `gradhealth`: findings and charts without TensorBoard, and an exit status for CI."""

from __future__ import annotations

import argparse
import difflib
import io
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from tensorboard_gradhealth import report
from tensorboard_gradhealth.diagnosis import judge
from tensorboard_gradhealth.formats import FORMATS, Verdict, total
from tensorboard_gradhealth.rules import RULES, Rule, stories
from tensorboard_gradhealth.storage.reader import (
    RunReader,
    UnreadableRun,
    list_runs,
    open_log_dir,
)
from tensorboard_gradhealth.types import SEVERITIES, Finding, RuleState
from tensorboard_gradhealth.version import VERSION

FOUND = 1
"""Exit status where there is a finding of the severity asked for."""

UNUSABLE = 2
"""Exit status where the arguments or a log cannot be used; it outweighs `FOUND`."""


class CommandError(Exception):
    """What was asked for cannot be done; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      arguments: Those after the command's name; None for those of the process.

    Returns:
      The exit status: 0, `FOUND` or `UNUSABLE`.
    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names are the user's, and a terminal or a pipe may not know their letters.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = options.command(options)
    except CommandError as error:
        print(f"gradhealth: {error}", file=sys.stderr)
        return UNUSABLE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gradhealth", description="Tells from a log why a network is not training."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_check(commands)
    _add_explain(commands)
    _add_report(commands)
    return parser


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="print what was found in the runs below a directory",
        description="Prints what was found in the runs below a directory. Exits with 1 if there "
        "is a finding of the severity of --fail-on or above, also one that is over, and with 2 if "
        "a run cannot be read or there is none.",
    )
    check.add_argument("logdir", metavar="LOGDIR", help="a run, or a directory above several")
    check.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    check.add_argument(
        "--fail-on",
        choices=("warning", "error", "never"),
        default="warning",
        help="severity from which on the exit status is 1; default: warning",
    )
    check.set_defaults(command=_check)


def _add_explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    explain = commands.add_parser(
        "explain",
        help="print what a rule means, how it measures and what its limits are",
        description="Prints the page of a rule and its limits.",
    )
    explain.add_argument("rule", metavar="RULE", help="its name or code: dead_units, GH401")
    explain.set_defaults(command=_explain)


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    write = commands.add_parser(
        "report",
        help="write one HTML page with the findings and charts of all runs",
        description="Writes one HTML page with the findings and charts of the runs below a "
        "directory. It needs no other file, no script and no network. Exits with 2 if a run "
        "cannot be read, which the page says, or if there is none.",
    )
    write.add_argument("logdir", metavar="LOGDIR", help="a run, or a directory above several")
    write.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="report.html",
        help="where to write it, - for the standard output; default: report.html",
    )
    write.set_defaults(command=_report)


def _check(options: argparse.Namespace) -> int:
    verdicts = [verdict for verdict, _ in _verdicts(options.logdir)]
    print(FORMATS[options.format](verdicts))
    if any(verdict.problem for verdict in verdicts):
        return UNUSABLE
    if options.fail_on == "never":
        return 0
    failing = SEVERITIES[SEVERITIES.index(options.fail_on) :]
    return FOUND if any(verdict.worst in failing for verdict in verdicts) else 0


def _verdicts(log_dir: str) -> Iterator[tuple[Verdict, RunReader | None]]:
    """Yields what was found in each run, and its reader unless the run cannot be read."""
    try:
        provider = open_log_dir(log_dir)
    except OSError as error:
        raise CommandError(str(error)) from error
    runs = list_runs(provider, None, "")
    if not runs:
        raise CommandError(f"{log_dir!r} holds no run of Gradient Health.")
    for run in runs:
        try:
            reader = RunReader(provider, None, "", run)
            findings, states = _judged(reader)
        except UnreadableRun as error:
            yield Verdict(run, problem=str(error)), None
        else:
            yield Verdict(run, findings, states), reader


def _judged(reader: RunReader) -> tuple[list[Finding], list[RuleState]]:
    try:
        return judge(reader)
    except UnreadableRun:
        raise
    except Exception as error:
        # A rule that trips over a strange log must not cost the other runs.
        raise UnreadableRun(f"The rules failed on this run: {error!r}") from error


def _report(options: argparse.Namespace) -> int:
    runs = list(_verdicts(options.logdir))
    subjects = (_subject(options.logdir, verdict, reader) for verdict, reader in runs)
    text = report.page(options.logdir, subjects, {rule.name: meaning(rule) for rule in RULES})
    _write(options.output, text.encode())
    verdicts = [verdict for verdict, _ in runs]
    if options.output != "-":
        print(f"{options.output}: {total(verdicts)}")
    return UNUSABLE if any(verdict.problem for verdict in verdicts) else 0


def _subject(log_dir: str, verdict: Verdict, reader: RunReader | None) -> report.Subject:
    # TensorBoard calls the run of the directory itself a dot.
    name = Path(log_dir).resolve().name if verdict.run == "." else verdict.run
    told = stories(verdict.findings)
    return report.Subject(name, reader, told, verdict.states, verdict.problem)


def _write(path: str, content: bytes) -> None:
    if path == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise CommandError(f"{path!r} cannot be written: {error.strerror}.") from error


def _explain(options: argparse.Namespace) -> int:
    print(page(_rule(options.rule)))
    return 0


def _rule(name: str) -> Rule:
    for rule in RULES:
        if name in (rule.name, rule.code):
            return rule
    names = [rule.name for rule in RULES]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise CommandError(f"there is no rule {name!r}.{hint} The rules are: {', '.join(names)}.")


def meaning(rule: Rule) -> str:
    """Returns what a rule says of itself: the docstring of its module."""
    return (sys.modules[rule.check.__module__].__doc__ or "").strip()


def page(rule: Rule) -> str:
    """Returns what a rule says of itself, and its settings."""
    limits = [f"  {name} = {value:g}" for name, value in rule.limits.items()]
    return "\n".join(
        [
            f"{rule.code} {rule.name}",
            "",
            meaning(rule),
            "",
            "## Settings",
            *(limits or ["  no limits"]),
            "",
            _listed("Signals that it needs", rule.requires),
            _listed("Can be explained by", rule.explained_by),
            f"Records in a row: {rule.hold}",
        ]
    )


def _listed(label: str, names: Sequence[str]) -> str:
    return textwrap.fill(
        f"{label}: {', '.join(names) or 'none'}",
        100,
        subsequent_indent="  ",
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    sys.exit(main())
