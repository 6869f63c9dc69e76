"""Writes docs/rules/ from the docstrings and limits of the rules.

`python tools/rule_docs.py` writes the pages; with `--check` it only says which are stale, and
then exits with status 1.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tensorboard_gradhealth.rules import RULES, Rule  # noqa: E402

FOLDER = ROOT / "docs" / "rules"
SECTIONS = (
    "Meaning",
    "Why it matters",
    "How it is measured",
    "Likely causes",
    "Fixes",
    "False alarms",
    "References",
)
_MARK = "<!-- Written by tools/rule_docs.py from {}; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Returns the text of every page by file name.

    Raises:
      ValueError: A rule's docstring does not have the sections of a page, in their order.
    """
    return {"README.md": _index(), **{f"{rule.name}.md": _page(rule) for rule in RULES}}


def stale(folder: Path, expected: Mapping[str, str]) -> list[str]:
    """Returns the names of the files that are missing, differ, or should not be there."""
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    names = sorted({*found, *expected})
    return [name for name in names if found.get(name) != expected.get(name)]


def write(folder: Path, expected: Mapping[str, str]) -> None:
    """Makes the folder hold the expected pages and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale(folder, expected):
        if name in expected:
            (folder / name).write_text(expected[name], "utf-8")
        else:
            (folder / name).unlink()


def _page(rule: Rule) -> str:
    text = _docstring(rule)
    headings = tuple(line[3:] for line in text.splitlines() if line.startswith("## "))
    if headings != SECTIONS:
        raise ValueError(f"rule {rule.name!r} has the sections {headings}; needed are {SECTIONS}")
    mark = _MARK.format(f"tensorboard_gradhealth/rules/{rule.name}.py")
    return f"{mark}# {rule.code} `{rule.name}`\n\n{text}\n\n{_settings(rule)}"


def _settings(rule: Rule) -> str:
    lines = ["## Settings", ""]
    if rule.limits:
        lines += ["| limit | default |", "|---|---|"]
        lines += [f"| `{name}` | {value:g} |" for name, value in rule.limits.items()]
        name, value = next(iter(rule.limits.items()))
        lines += ["", f'Change one with `limits={{"{rule.name}": {{"{name}": {value:g}}}}}`, or']
    else:
        lines += ["No limits. You can"]
    lines += [f'switch the rule off with `ignore={{"{rule.name}": True}}`.']
    signals = ", ".join(f"`{signal}`" for signal in rule.requires) or "none in particular"
    lines += ["", f"- Signals that it needs: {signals}", f"- Records in a row: {rule.hold}"]
    causes = ", ".join(f"[`{name}`]({name}.md)" for name in rule.explained_by) or "no other rule"
    return "\n".join([*lines, f"- Can be explained by: {causes}", ""])


def _index() -> str:
    rows = [
        f"| {rule.code} | [`{rule.name}`]({rule.name}.md) | {_docstring(rule).splitlines()[0]} |"
        for rule in RULES
    ]
    head = "# Rules\n\nIn causal order.\n\n| code | rule | finds |\n|---|---|---|\n"
    return _MARK.format("tensorboard_gradhealth/rules/") + head + "\n".join(rows) + "\n"


def _docstring(rule: Rule) -> str:
    return (sys.modules[rule.check.__module__].__doc__ or "").strip()


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    if arguments not in ([], ["--check"]):
        print(f"unknown arguments {arguments}; accepted is --check", file=sys.stderr)
        return 2
    expected = pages()
    if not arguments:
        write(FOLDER, expected)
        return 0
    names = stale(FOLDER, expected)
    if names:
        print(f"stale: {', '.join(names)}; run python tools/rule_docs.py", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
