"""The report in a real Chromium: nothing leaves it, and everybody can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tensorboard_gradhealth import cli
from tests import logs
from tests.browser.runs import STRANGER
from tests.browser.test_states import AXE
from tests.cli import reported_runs as runs

pytestmark = pytest.mark.browser

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a sick, a healthy, a hostile and an unreadable run."""
    log_dir = tmp_path_factory.mktemp("logs")
    runs.write_case(log_dir / "sick", "vanishing_gradients")
    runs.write_norms(log_dir / "healthy", np.ones((3, 2)))
    runs.write_hostile(log_dir / STRANGER)
    logs.write_newer_run(log_dir / "newer")
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert cli.main(["report", str(log_dir), "-o", str(path)]) == cli.UNUSABLE
    return path


def _open(browser: Browser, path: Path, problems: list[str], **options: object) -> Page:
    page = browser.new_page(**options)  # type: ignore[arg-type]
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    page.on("request", lambda request: problems.append(request.url))
    page.goto(path.as_uri())
    return page


def test_it_opens_from_a_disk_without_a_request_or_an_error(browser: Browser, report: Path) -> None:
    problems: list[str] = []
    page = _open(browser, report, problems, java_script_enabled=False)
    page.get_by_role("link", name="sick").click()
    expect(page.get_by_text(STRANGER).first).to_be_attached()
    assert "#run-" in page.url
    requests = [problem for problem in problems if not problem.startswith("data:image/png")]
    assert requests == [report.as_uri()]
    page.close()


@pytest.mark.parametrize("theme", THEMES)
def test_it_is_accessible_in_both_themes(
    browser: Browser, report: Path, theme: Literal["light", "dark"]
) -> None:
    # The page allows no script, not even this one.
    page = _open(browser, report, [], color_scheme=theme, bypass_csp=True)
    page.evaluate(_OPEN_ALL)
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in colour.strip("rgba()").split(",")[:3])
    assert brightness < 200 if theme == "dark" else brightness > 650
    page.evaluate(AXE.read_text())
    violations = page.evaluate("async () => (await axe.run()).violations")
    assert [(each["id"], [n["target"] for n in each["nodes"]]) for each in violations] == []
    page.close()


@pytest.mark.parametrize("width", [390, 800, 1440])
def test_nothing_is_cut_off_at_the_side(browser: Browser, report: Path, width: int) -> None:
    page = _open(browser, report, [], viewport={"width": width, "height": 900})
    page.evaluate(_OPEN_ALL)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    page.close()


def test_on_paper_nothing_is_folded_away(browser: Browser, report: Path) -> None:
    page = _open(browser, report, [])
    folded = page.locator(".rule-list").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.is_visible()
    page.close()
