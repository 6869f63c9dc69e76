"""A real TensorBoard on recorded runs, and a real Chromium to look at it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Request, expect

from tests.browser import runs
from tests.tensorboard_process import TensorBoard, tensorboard

expect.set_options(timeout=120_000)  # other tests may train at the same time

WORDS_OF_SVG = """svg => [
  ...new DOMParser().parseFromString(svg, 'image/svg+xml').querySelectorAll('text'),
].map((text) => text.textContent)"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test in a browser waits until the runs are recorded, which is training."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded runs. Processes that share the tests share them: one records, others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    log_dir = shared / "browser_logs"
    with (shared / "browser_logs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not log_dir.exists():
            runs.record_all(shared / "browser_logs.partial")
            (shared / "browser_logs.partial").rename(log_dir)
    return log_dir


@pytest.fixture(scope="session")
def server(logs: Path) -> Iterator[TensorBoard]:
    with tensorboard(logs) as running:
        running.wait_for_runs(*runs.ALL)
        yield running


class Tab:
    """The Gradient Health tab in a page of its own."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.problems: list[str] = []
        self._root = url
        self.page: Page = browser.new_page(
            **{"viewport": {"width": 1440, "height": 1000}, **options}
        )
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        self.page.on(
            "console",
            lambda m: self.problems.append(m.text) if m.type == "error" else None,
        )
        self.page.on("request", self._check_origin)

    def _check_origin(self, request: Request) -> None:
        origin = self._root.partition("?")[0]
        local = request.url.startswith((origin, "data:", "blob:"))
        if not local and "plugin_entry" in request.frame.url:
            self.problems.append(f"a request that leaves the origin: {request.url}")

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator('iframe[src*="gradhealth"]')

    def get(self, test_id: str, **attributes: str) -> Any:
        wanted = "".join(f'[data-{name}="{value}"]' for name, value in attributes.items())
        return self.frame.locator(f'[data-testid="{test_id}"]{wanted}')

    def show(self, view: str) -> None:
        """Turns to one of the views of a run."""
        self.get("view-tab", view=view).click()

    def expect_link(self, part: str) -> None:
        """Waits until the address says so: it is written when the page has been drawn."""
        expect(self.page).to_have_url(re.compile(re.escape(part)))

    def open(self, **state: str) -> Tab:
        """Opens the tab afresh; `state` are keys of its URL."""
        keys = "".join(f"&p.gradhealth.{k}={quote(v, safe='')}" for k, v in state.items())
        self.page.goto("about:blank")
        self.page.goto(f"{self._root}#gradhealth{keys}")
        return self


def save(tab: Tab, part: str, kind: str, folder: Path) -> Path:
    """Takes something away through the menu of one part of the page."""
    menu = tab.get(part).get_by_test_id("export").first
    menu.locator("summary").click()
    with tab.page.expect_download() as download:
        menu.get_by_role("button", name=kind).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@pytest.fixture
def tab(browser: Browser, server: TensorBoard) -> Iterator[Tab]:
    opened = Tab(browser, server.url)
    yield opened
    opened.page.close()
    assert opened.problems == [], "an error, a blocked request or a dialog"
