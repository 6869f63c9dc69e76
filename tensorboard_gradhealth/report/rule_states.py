"""How every rule stands for a run: silence is shown to be earned, not assumed."""

from __future__ import annotations

from collections.abc import Sequence

from tensorboard_gradhealth.report.icons import icon
from tensorboard_gradhealth.report.markup import Markup, element, joined, marked
from tensorboard_gradhealth.report.wording import sentence_case
from tensorboard_gradhealth.types import RuleState

_GROUPS = (
    ("Firing", "firing", "warning"),
    ("Cleared", "cleared", "recovered"),
    ("Not evaluated", "not evaluated", "unknown"),
    ("Clean", "clean", "healthy"),
)


def rule_states(states: Sequence[RuleState]) -> Markup | None:
    """Returns the rules by their state, with the reason of those that could not judge."""
    if not states:
        return None
    groups = [
        (title, mark, [state for state in states if state.state == name])
        for title, name, mark in _GROUPS
    ]
    present = [(title, mark, rules) for title, mark, rules in groups if rules]
    words = ", ".join(f"{len(rules)} {title.lower()}" for title, _, rules in present)
    summary = element("summary", element("h3", "Rules"), element("span", words))
    lists = [_list(title, mark, rules) for title, mark, rules in present]
    return element("details", summary, lists, class_="card fold")


def _list(title: str, mark: str, states: list[RuleState]) -> Markup:
    items = [
        element(
            "li",
            icon(mark),
            element(
                "span",
                sentence_case(state.rule),
                " ",
                element("span", state.code, class_="mono muted"),
                element("small", marked(state.reason)) if state.reason else None,
            ),
        )
        for state in states
    ]
    return joined(element("h4", title), element("ul", items, class_="rule-list"))
