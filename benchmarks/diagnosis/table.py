"""Writes scores as Markdown, and what went wrong as working material."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.diagnosis.bodies import PARTS
from benchmarks.diagnosis.faults import FAULTS
from benchmarks.diagnosis.judging import OURS, Judged
from benchmarks.diagnosis.scoring import (
    SOON,
    Score,
    alarms,
    is_named,
    is_placed,
    score,
    soon,
    step_named,
)

_HEAD = (
    "| tool | fault found | root cause first | right layer | steps until named | "
    "healthy with an error | healthy with a warning or error |\n|---|---|---|---|---|---|---|"
)


_ABOUT = """<!-- Tables written by `{command}`. -->

# Diagnosis quality

We train networks with mistakes that people make, and healthy networks, each for a few seconds on
scanned digits or generated data. We built the sick networks ourselves. All tools judge the same
runs. The published rule sets are reimplemented from their definitions, with the limits that
their authors give (`benchmarks/diagnosis/published/`).

- *fault found*: a sick run has a warning or an error
- *root cause first*: the first message names the mistake. The acceptable names were fixed before
  the rules were tried.
- *right layer*: in addition, the first layer named is the faulty one; only for faults that are
  in a particular layer
- *steps until named*: median over the runs whose root cause is named at all

The suite has two parts with different seeds and architectures. One was used to choose
thresholds, with these bodies:

{choose}

The results below are for the other part:

{report}

`{command}` reproduces them in about an hour.
"""

_TITLES = {"choose": "Results on the part that thresholds were chosen on", "report": "Results"}


def about(command: str) -> str:
    """Returns the head of the page; `command` is what makes it."""
    bodies = {part: ", ".join(names) for part, names in PARTS.items()}
    return _ABOUT.format(command=command, **bodies).rstrip()


def title(part: str, runs: Sequence[Judged]) -> str:
    """Returns a heading with the numbers of runs."""
    sick = [run for run in runs if run.kind == "fault"]
    healthy = [run for run in runs if run.kind == "healthy"]
    proven = [run for run in healthy if not run.healthy.unproven]
    return (
        f"## {_TITLES[part]}\n\n"
        f"{len(sick)} runs with one of {len({run.name for run in sick})} faults; "
        f"{len(healthy)} healthy runs of {len({(run.name, run.on) for run in healthy})} "
        f"configurations. {len(proven)} of the healthy runs are long enough to show progress; "
        f"{sum(run.learnt for run in proven)} of these end clearly better than they began."
    )


def tools(runs: Sequence[Judged]) -> str:
    """Returns one row for each tool."""
    names = runs[0].said if runs else ()
    return "\n".join([_HEAD, *(_row(name, score(runs, name)) for name in names)])


def _row(tool: str, of: Score) -> str:
    cells = [_percent(of.found), _percent(of.named), _percent(of.placed)]
    cells += ["-" if of.steps is None else f"{of.steps:g}"]
    # A tool without severities cannot be blamed for errors, nor praised for having none.
    cells += [_percent(of.errors) if tool == OURS else "-", _percent(of.warnings)]
    return f"| {tool} | " + " | ".join(cells) + " |"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def early(runs: Sequence[Judged]) -> str:
    """Returns how many runs are named soon: one row for each kind of fault."""
    lines = [
        f"| kind of fault | named within {SOON} steps | named later or never |",
        "|---|---|---|",
    ]
    for kind, (count, total, late) in soon(runs, OURS).items():
        names = ", ".join(f"`{name}`" for name in late) or "-"
        lines.append(f"| {kind} | {count} of {total} | {names} |")
    return "\n".join(lines)


def faults(runs: Sequence[Judged]) -> str:
    """Returns one row for each fault: how often it was found, named and placed, and when."""
    lines = [
        "| fault | what is wrong | runs | found | root cause first | right layer | named at step |",
        "|---|---|---|---|---|---|---|",
    ]
    for fault in FAULTS:
        said = [run.said[OURS] for run in runs if run.kind == "fault" and run.name == fault.name]
        if said:
            found = sum(bool(alarms(one)) for one in said)
            named = sum(is_named(fault, one) for one in said)
            placed = sum(is_placed(fault, one) for one in said) if fault.layer else "-"
            steps = [step for one in said if (step := step_named(fault, one)) is not None]
            when = f"{min(steps)} to {max(steps)}" if steps else "-"
            lines.append(
                f"| `{fault.name}` | {fault.what} | {len(said)} | {found} | {named} | "
                f"{placed} | {when} |"
            )
    return "\n".join(lines)


def mistakes(runs: Sequence[Judged]) -> Iterator[str]:
    """Yields what to work on, below the name of the rule that ought to have spoken, or been silent.

    These are the sick runs that are not named or not placed, and the healthy ones with an alarm.
    """
    wrong: dict[str, list[str]] = {}
    for run in runs:
        rule, mistake = _mistake(run)
        if mistake:
            head = f"{mistake}: {run.name} on {run.on}, seed {run.seed}"
            wrong.setdefault(rule, []).append("\n".join([head, *_details(run)]))
    for rule in sorted(wrong):
        yield "\n\n".join([f"# {rule}: {len(wrong[rule])}", *wrong[rule]])


def _mistake(run: Judged) -> tuple[str, str]:
    """Returns the rule and what is wrong about it; "" if nothing is."""
    serious = alarms(run.said[OURS])
    if run.kind == "healthy":
        return (serious[0].name, "FALSE ALARM") if serious else ("", "")
    expected = run.fault.expected
    if not is_named(run.fault, run.said[OURS]):
        return expected[0], f"{'WRONG' if serious else 'MISSED'}, expected {' or '.join(expected)}"
    if not is_placed(run.fault, run.said[OURS]):
        return serious[0].name, f"ELSEWHERE, expected in {run.fault.layer}"
    return "", ""


def _details(run: Judged) -> Iterator[str]:
    for name in ("loss", "val_loss", "accuracy", "val_accuracy"):
        if name in run.history:
            values = run.history[name][:: max(1, len(run.history[name]) // 10)]
            yield f"    {name}: {' '.join(f'{value:.3g}' for value in values)}"
    for one in run.said[OURS]:
        yield f"    {one.severity} {one.name} at {one.step} in {one.layer or '-'}: {one.text}"
    yield f"    {run.path}"
