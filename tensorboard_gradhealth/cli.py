"""The command `gradhealth`: the findings without a browser, and an exit status for CI."""

from __future__ import annotations

import argparse
import difflib
import io
import sys
import textwrap
from collections.abc import Iterator, Sequence

from tensorboard_gradhealth.diagnosis import judge
from tensorboard_gradhealth.formats import FORMATS, Verdict
from tensorboard_gradhealth.rules import RULES, Rule
from tensorboard_gradhealth.storage.reader import (
    RunReader,
    UnreadableRun,
    list_runs,
    open_log_dir,
)
from tensorboard_gradhealth.types import SEVERITIES
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


def _check(options: argparse.Namespace) -> int:
    verdicts = list(_verdicts(options.logdir))
    if not verdicts:
        raise CommandError(f"{options.logdir!r} holds no run of Gradient Health.")
    print(FORMATS[options.format](verdicts))
    if any(verdict.problem for verdict in verdicts):
        return UNUSABLE
    if options.fail_on == "never":
        return 0
    failing = SEVERITIES[SEVERITIES.index(options.fail_on) :]
    return FOUND if any(verdict.worst in failing for verdict in verdicts) else 0


def _verdicts(log_dir: str) -> Iterator[Verdict]:
    try:
        provider = open_log_dir(log_dir)
    except OSError as error:
        raise CommandError(str(error)) from error
    for run in list_runs(provider, None, ""):
        try:
            findings, states = judge(RunReader(provider, None, "", run))
            yield Verdict(run, findings, states)
        except UnreadableRun as error:
            yield Verdict(run, problem=str(error))


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


def page(rule: Rule) -> str:
    """Returns what a rule says of itself, and its settings."""
    meaning = (sys.modules[rule.check.__module__].__doc__ or "").strip()
    limits = [f"  {name} = {value:g}" for name, value in rule.limits.items()]
    return "\n".join(
        [
            f"{rule.code} {rule.name}",
            "",
            meaning,
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
