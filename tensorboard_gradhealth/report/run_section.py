"""All that the report says of one run."""

from __future__ import annotations

from collections.abc import Collection

from tensorboard_gradhealth.report.health_map import health_maps
from tensorboard_gradhealth.report.icons import icon
from tensorboard_gradhealth.report.layer_table import layer_tables
from tensorboard_gradhealth.report.markup import Markup, element, joined, marked
from tensorboard_gradhealth.report.measured import Measured
from tensorboard_gradhealth.report.rule_states import rule_states
from tensorboard_gradhealth.report.settings import main_facts, settings
from tensorboard_gradhealth.report.story import story_card
from tensorboard_gradhealth.report.subject import WORDS, Subject
from tensorboard_gradhealth.report.training import training
from tensorboard_gradhealth.report.wording import count, moment, step


def run_section(
    subject: Subject, measured: Measured | None, anchor: str, explained: Collection[str]
) -> Markup:
    """Returns a section.

    Args:
      subject: The run.
      measured: What was measured in it; None where it cannot be read.
      anchor: `id` of the section.
      explained: Names of the rules whose text is in the page.
    """
    title = element("h2", element("bdi", subject.run), class_="run-name")
    parts: list[Markup | None] = [title, _verdict(subject, measured)]
    if measured is not None:
        parts += _body(subject, measured, explained)
    return element("section", parts, class_="run", id=anchor)


def _body(subject: Subject, measured: Measured, explained: Collection[str]) -> list[Markup | None]:
    tables = layer_tables(measured, subject.findings)
    return [
        _findings(subject, measured, explained),
        _card("Training", training(measured, list(subject.stories))),
        _card("Health map", *health_maps(measured, subject.stories)),
        element("details", _fold("Layers", "last values in numbers"), tables, class_="card fold")
        if tables
        else None,
        rule_states(subject.states),
        _missing(measured),
        settings(measured.info.facts),
    ]


def _verdict(subject: Subject, measured: Measured | None) -> Markup:
    health = subject.health
    headline = joined(": ", marked(subject.headline)) if subject.headline else None
    facts = [*_extent(subject, measured), *main_facts(measured.info.facts)] if measured else []
    troubles = measured.troubles if measured else []
    return element(
        "div",
        icon(health),
        element(
            "div",
            element("p", element("strong", WORDS[health]), headline, class_="verdict-line"),
            element("p", facts, class_="meta") if facts else None,
            [element("p", marked(trouble), class_="note") for trouble in troubles],
        ),
        class_=f"card verdict {health}",
    )


def _extent(subject: Subject, measured: Measured) -> list[Markup]:
    """Steps, points and time that the verdict rests on."""
    timeline = measured.timeline
    points, drawn = len(timeline.steps), timeline.columns
    if not points:
        return []
    words = [f"last step {step(timeline.steps[-1])}"]
    if subject.stories and subject.health in ("error", "warning", "info"):
        words.insert(0, f"since step {step(subject.stories[0][0].first_step)}")
    words.append(
        count(points, "point")
        if drawn == points
        else f"{points:,} points, drawn as {drawn}: neighbours are joined"
    )
    if measured.wall_times:
        words.append(moment(measured.wall_times[1]))
    return [element("span", word) for word in words]


def _findings(subject: Subject, measured: Measured, explained: Collection[str]) -> Markup | None:
    if not subject.stories:
        return None
    cards = [
        element("div", story_card(measured, story, explained), class_="card")
        for story in subject.stories
    ]
    return joined(element("h3", "Findings"), cards)


def _missing(measured: Measured) -> Markup | None:
    """Signals that were asked for and could not be measured."""
    reasons = measured.info.not_measured
    if not reasons:
        return None
    items = [
        joined(element("dt", name.replace("_", " ")), element("dd", marked(reason)))
        for name, reason in reasons.items()
    ]
    words = count(len(items), "signal")
    return element(
        "details", _fold("Not measured", words), element("dl", items), class_="card fold"
    )


def _card(title: str, *contents: Markup | None) -> Markup | None:
    if not any(contents):
        return None
    return element("section", element("h3", title), contents, class_="card charts")


def _fold(title: str, words: str) -> Markup:
    return element("summary", element("h3", title), element("span", words))
