"""What a rule says of itself, for those who read the report far from the documentation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tensorboard_gradhealth.report.markup import Markup, element, linked, marked


def rule_page(name: str, code: str, text: str) -> Markup:
    """Returns the page of a rule.

    Args:
      name: Of the rule.
      code: `GHnnn`.
      text: Its docstring: a sentence, and sections that begin with `## `, each of paragraphs and
        lists.
    """
    summary, *sections = text.strip().split("\n## ")
    title = element(
        "h3", element("span", code, class_="mono muted"), " ", element("code", name, dir="auto")
    )
    parts = [title, element("p", marked(_flowing(summary)))]
    for section in sections:
        heading, _, body = section.partition("\n")
        parts += [element("h4", heading), *_blocks(body.strip())]
    return element("article", parts, class_="card rule-page", id=f"rule-{name}")


def _blocks(body: str) -> Iterator[Markup]:
    for is_list, lines in itertools.groupby(_items(body), lambda item: item.startswith("- ")):
        if is_list:
            yield element("ul", [element("li", linked(line[2:])) for line in lines])
        else:
            yield from (element("p", linked(line)) for line in lines if line)


def _items(body: str) -> list[str]:
    """Paragraphs and items of lists, each as one line."""
    items = [""]
    for line in body.splitlines():
        if not line.strip():
            items.append("")
        elif line.startswith("- "):
            items.append(line)
        else:
            items[-1] = _flowing(f"{items[-1]} {line}")
    return [item for item in items if item]


def _flowing(text: str) -> str:
    return " ".join(text.split())
