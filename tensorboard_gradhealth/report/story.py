"""A root cause with all that is known of it, and what follows from it beneath."""

from __future__ import annotations

import math
from collections.abc import Collection

from tensorboard_gradhealth.report.evidence_curve import evidence_curve
from tensorboard_gradhealth.report.icons import icon
from tensorboard_gradhealth.report.markup import Markup, code, element, joined, linked, marked
from tensorboard_gradhealth.report.measured import Measured
from tensorboard_gradhealth.report.subject import Story
from tensorboard_gradhealth.report.wording import count, quantity, step, steps
from tensorboard_gradhealth.types import Cause, Evidence, Finding, Fix

_WORDS = {"error": "Error", "warning": "Warning", "info": "Remark"}
_MOST_LAYERS = 8


def story_card(measured: Measured, story: Story, explained: Collection[str]) -> Markup:
    """Returns a card.

    Args:
      measured: Of the run.
      story: Of the run.
      explained: Names of the rules whose text is in the page.
    """
    root, others = story
    consequences = None
    if others:
        summary = element("summary", f"Explains {count(len(others), 'other finding')}")
        cards = [_card(measured, finding, explained) for finding in others]
        consequences = element("details", summary, cards, class_="consequences")
    return _card(measured, root, explained, consequences)


def _card(
    measured: Measured,
    finding: Finding,
    explained: Collection[str],
    consequences: Markup | None = None,
) -> Markup:
    left = [
        evidence_curve(measured, finding),
        _evidence(finding.evidence),
        _layers(finding.layers),
        _passage("Harmless when", finding.harmless),
    ]
    right = [
        _causes(finding.causes),
        _fixes(finding.fixes),
        _passage("How to see that it worked", finding.check),
        _sources(finding, explained),
    ]
    body = element("div", element("div", left), element("div", right), class_="finding-body")
    return element(
        "article",
        _head(finding),
        body,
        consequences,
        class_=f"finding {finding.severity}",
    )


def _head(finding: Finding) -> Markup:
    severity = element("span", _WORDS[finding.severity], class_="severity")
    held = (
        f"since step {step(finding.first_step)}, still open"
        if finding.open
        else f"{steps(finding.first_step, finding.last_step)}, over"
    )
    origin = "found during training" if finding.origin == "live" else "found in the log"
    line = element(
        "p",
        [icon(finding.severity), severity, element("span", finding.code, class_="mono")],
        [element("span", held), element("span", origin)],
        class_="finding-line",
    )
    return element("header", line, element("h4", marked(finding.title)))


def _evidence(items: tuple[Evidence, ...]) -> Markup | None:
    if not items:
        return None
    head = element("tr", *(element("th", word, scope="col") for word in _EVIDENCE_HEAD))
    return element(
        "table",
        element("caption", "Evidence"),
        element("thead", head),
        element("tbody", map(_evidence_row, items)),
        class_="evidence",
    )


_EVIDENCE_HEAD = ("Measured", "Value", "Limit")


def _evidence_row(item: Evidence) -> Markup:
    where = joined(code(item.row), " ") if item.row else None
    about = element("small", where, f"at step {step(item.step)}")
    value = quantity(item.value, item.unit, item.signal)
    limit = "" if item.limit is None else quantity(item.limit, "", item.signal)
    odd = "" if math.isfinite(item.value) else " non-finite"
    return element(
        "tr",
        element("th", marked(item.label), about, scope="row"),
        element("td", value, class_=f"number{odd}"),
        element("td", limit, class_="number muted"),
    )


def _layers(names: tuple[str, ...]) -> Markup | None:
    if not names:
        return None
    shown = [joined(", " if i else None, code(name)) for i, name in enumerate(names[:_MOST_LAYERS])]
    more = f" and {len(names) - _MOST_LAYERS} more" if len(names) > _MOST_LAYERS else None
    return joined(
        element("h5", "Where, worst first" if len(names) > 1 else "Where"),
        element("p", shown, more),
    )


def _causes(causes: tuple[Cause, ...]) -> Markup | None:
    if not causes:
        return None
    items = [
        element(
            "li",
            element("span", cause.confidence, class_="confidence"),
            element(
                "span",
                marked(cause.text),
                element("small", marked(cause.support)) if cause.support else None,
            ),
            class_=cause.confidence.replace(" ", "-"),
        )
        for cause in causes
    ]
    return joined(element("h5", "Causes"), element("ul", items, class_="causes"))


def _fixes(fixes: tuple[Fix, ...]) -> Markup | None:
    if not fixes:
        return None
    items = [
        element(
            "li",
            marked(fix.text),
            element("pre", element("code", fix.code, dir="auto")) if fix.code else None,
        )
        for fix in fixes
    ]
    return joined(element("h5", "What to try, in this order"), element("ol", items, class_="fixes"))


def _passage(title: str, text: str) -> Markup | None:
    return joined(element("h5", title), element("p", marked(text))) if text else None


def _sources(finding: Finding, explained: Collection[str]) -> Markup | None:
    items = [element("li", linked(reference)) for reference in finding.references]
    if finding.rule in explained:
        words = ["What ", code(finding.rule), " means and how it is measured"]
        items.insert(0, element("li", element("a", words, href=f"#rule-{finding.rule}")))
    if not items:
        return None
    return joined(element("h5", "Read more"), element("ul", items, class_="sources"))
