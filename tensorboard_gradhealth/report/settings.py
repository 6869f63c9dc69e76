"""What a run was set up with: versions, optimizer, and all else that the log tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorboard_gradhealth.report.markup import Markup, element, joined
from tensorboard_gradhealth.report.wording import fact

MAIN = ("model", "optimizer", "loss", "batch_size", "parameters")


def main_facts(facts: Mapping[str, Any]) -> list[Markup]:
    """Returns the facts that belong beside the verdict."""
    return [
        element("span", f"{name.replace('_', ' ')} ", element("b", fact(facts[name]), dir="auto"))
        for name in MAIN
        if name in facts
    ]


def settings(facts: Mapping[str, Any]) -> Markup | None:
    """Returns all facts."""
    if not facts:
        return None
    summary = element(
        "summary", element("h3", "Set-up and versions"), element("span", _words(facts))
    )
    items = [
        joined(element("dt", name.replace("_", " ")), element("dd", fact(value), dir="auto"))
        for name, value in facts.items()
    ]
    return element("details", summary, element("dl", items), class_="card fold")


def _words(facts: Mapping[str, Any]) -> str:
    named = (("Keras", "keras"), ("TensorFlow", "tensorflow"))
    return ", ".join(f"{name} {fact(facts[key])}" for name, key in named if key in facts)
