"""Links between the pages lead somewhere, and the index knows every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])


def links(page: Path) -> list[tuple[str, str]]:
    """Returns path and anchor of each link that stays within the sources."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [(t.partition("#")[0], t.partition("#")[2]) for t in targets if "://" not in t]


def anchors(page: Path) -> set[str]:
    """Returns the names that a page's headings get: lower case, no punctuation, hyphens."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{path} is not there"
        assert not anchor or anchor in anchors(target), f"{path} has no heading {anchor!r}"


def test_the_index_names_every_page() -> None:
    named = {(DOCS / path).resolve() for path, _ in links(DOCS / "README.md")}
    pages = {*DOCS.glob("*.md"), *DOCS.glob("tutorials/*.md")}
    assert pages - named == {DOCS / "README.md"}
