"""One line per run, the sick ones first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tensorboard_gradhealth.report.icons import icon
from tensorboard_gradhealth.report.markup import Markup, element, marked
from tensorboard_gradhealth.report.measured import Measured
from tensorboard_gradhealth.report.subject import WORDS, Health, Subject
from tensorboard_gradhealth.report.wording import moment, step

ORDER: tuple[Health, ...] = (
    "error", "warning", "unreadable", "info", "recovered", "unknown", "healthy",
)  # fmt: skip

_HEAD = ("Run", "Verdict", "Findings", "Last step", "Last written")


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What the overview says of a run.

    Attributes:
      subject: The run.
      anchor: `id` of its section.
      last_step: None if nothing was measured.
      written: When its last point was, in seconds since the epoch.
    """

    subject: Subject
    anchor: str
    last_step: int | None = None
    written: float | None = None

    @classmethod
    def of(cls, subject: Subject, measured: Measured | None, anchor: str) -> Line:
        """Sums a run up; it is no longer read from afterwards."""
        summed = dataclasses.replace(subject, reader=None)
        if measured is None or measured.wall_times is None:
            return cls(summed, anchor)
        return cls(summed, anchor, int(measured.timeline.steps[-1]), measured.wall_times[1])


def overview(lines: Sequence[Line]) -> Markup:
    """Returns a table."""
    heads = [element("th", word, scope="col") for word in _HEAD]
    table = element(
        "table",
        element("caption", _total(lines)),
        element("thead", element("tr", heads)),
        element("tbody", map(_row, lines)),
        class_="overview",
    )
    return element(
        "div", table, class_="card scroll", role="region", tabindex=0, aria_label="All runs"
    )


def _total(lines: Sequence[Line]) -> str:
    healths = [line.subject.health for line in lines]
    words = {"error": "with an error", "warning": "with a warning", "info": "with a remark"}
    parts = [
        f"{healths.count(health)} {words.get(health, WORDS[health].lower())}"
        for health in ORDER
        if health in healths
    ]
    return f"{len(lines)} runs: {', '.join(parts)}"


def _row(line: Line) -> Markup:
    subject = line.subject
    name = element("a", element("bdi", subject.run), href=f"#{line.anchor}")
    word = element("span", icon(subject.health), WORDS[subject.health], class_="verdict-word")
    headline = element("small", marked(subject.headline)) if subject.headline else None
    return element(
        "tr",
        element("th", name, scope="row"),
        element("td", word, headline),
        element("td", str(len(subject.findings)), class_="number"),
        element("td", "" if line.last_step is None else step(line.last_step), class_="number"),
        element("td", "" if line.written is None else moment(line.written), class_="when"),
    )
