"""The pages of the rules, from their docstrings and limits."""

from __future__ import annotations

import sys

from tensorboard_gradhealth.rules import RULES, Rule

SECTIONS = (
    "Meaning",
    "Why it matters",
    "How it is measured",
    "Likely causes",
    "Fixes",
    "False alarms",
    "References",
)
_MARK = "<!-- Written by tools/docs from {}; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Returns the text of every page by its path below docs/.

    Raises:
      ValueError: A rule's docstring does not have the sections of a page, in their order.
    """
    return {"rules/README.md": _index(), **{f"rules/{rule.name}.md": _page(rule) for rule in RULES}}


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
