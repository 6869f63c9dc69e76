"""The whole report: an overview, a section for each run, and the text of the rules that fired."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorboard_gradhealth.report.icons import definitions
from tensorboard_gradhealth.report.markup import Markup, element, joined
from tensorboard_gradhealth.report.measured import Measured
from tensorboard_gradhealth.report.overview import ORDER, Line, overview
from tensorboard_gradhealth.report.rule_page import rule_page
from tensorboard_gradhealth.report.run_section import run_section
from tensorboard_gradhealth.report.subject import Subject
from tensorboard_gradhealth.report.wording import moment
from tensorboard_gradhealth.version import VERSION

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""A browser then refuses every request and every script, whatever a name in the log holds."""


_STYLES = ("base", "layout", "findings", "charts", "details", "media")
"""In the order in which they hold: narrow screens and paper have the last word."""


def page(title: str, subjects: Iterable[Subject], rules: Mapping[str, str]) -> str:
    """Returns the page.

    Args:
      title: Where the runs are from.
      subjects: The runs; each is read, drawn and let go before the next.
      rules: Docstrings of the rules by name, for those that fired.
    """
    drawn = [_drawn(number, subject, rules) for number, subject in enumerate(subjects, start=1)]
    drawn.sort(key=lambda item: ORDER.index(item[0].subject.health))
    lines = [line for line, _ in drawn]
    body = joined(
        definitions(),
        _header(title),
        element(
            "main",
            overview(lines) if len(lines) > 1 else None,
            [section for _, section in drawn],
            _rules(lines, rules),
        ),
    )
    return f"<!doctype html>\n{element('html', _head(title), element('body', body), lang='en')}\n"


def _drawn(number: int, subject: Subject, rules: Mapping[str, str]) -> tuple[Line, Markup]:
    measured = Measured(subject.reader) if subject.reader else None
    anchor = f"run-{number}"
    return Line.of(subject, measured, anchor), run_section(subject, measured, anchor, rules)


def _head(title: str) -> Markup:
    folder = Path(__file__).with_name("styles")
    style = "\n".join((folder / f"{name}.css").read_text(encoding="utf-8") for name in _STYLES)
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"Gradient Health: {title}"),
        element("style", Markup(style)),
    )


def _header(title: str) -> Markup:
    about = f"Written {moment(time.time())} by version {VERSION}"
    return element(
        "header",
        element("h1", "Gradient Health ", element("bdi", title)),
        element("p", about),
        class_="top",
    )


def _rules(lines: list[Line], rules: Mapping[str, str]) -> Markup | None:
    fired = {f.rule: f.code for line in lines for f in line.subject.findings if f.rule in rules}
    if not fired:
        return None
    pages = [rule_page(name, code, rules[name]) for name, code in fired.items()]
    return element("section", element("h2", "The rules that fired"), pages, class_="rule-pages")
