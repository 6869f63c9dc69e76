"""A real TensorBoard on recorded runs, and a real Chromium to look at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Request, expect

from tests.browser import runs
from tests.tensorboard_process import TensorBoard, tensorboard

expect.set_options(timeout=20_000)  # other tests may train at the same time


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log_dir = tmp_path_factory.mktemp("logs")
    for name in runs.RECORDED:
        runs.record(log_dir, name)
    runs.record_hostile(log_dir)
    runs.write_large(log_dir / "large")
    runs.write_strange(log_dir)
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

    def open(self, **state: str) -> Tab:
        """Opens the tab afresh; `state` are keys of its URL."""
        keys = "".join(f"&p.gradhealth.{k}={quote(v, safe='')}" for k, v in state.items())
        self.page.goto("about:blank")
        self.page.goto(f"{self._root}#gradhealth{keys}")
        return self


@pytest.fixture
def tab(browser: Browser, server: TensorBoard) -> Iterator[Tab]:
    opened = Tab(browser, server.url)
    yield opened
    opened.page.close()
    assert opened.problems == [], "an error, a blocked request or a dialog"
