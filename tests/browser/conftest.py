"""A real TensorBoard on recorded runs, and a real Chromium to look at it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, sync_playwright

import tensorboard_gradhealth as gradhealth
from demo.gallery import RUNS
from tests.tensorboard_process import TensorBoard, tensorboard

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOSTILE = "<img src=x onerror=alert(1)>"
RECORDED = ("scaling/sick", "activation/fixed", "learning_rate/sick", "root_of_zero")


def record(log_dir: Path, name: str) -> None:
    """Trains one run of the gallery."""
    keras.backend.clear_session()
    run = next(run for run in RUNS if run.name == name)
    run.train([gradhealth.HealthCallback(log_dir / name, verbose=0)], 0)


def record_hostile(log_dir: Path) -> None:
    """Trains a network one of whose layers has markup for a name."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(8, activation="relu", name=HOSTILE)
    model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)  # a graph refuses such a name, Keras does not
    x = np.random.rand(64, 4)
    callback = gradhealth.HealthCallback(log_dir / "hostile", verbose=0)
    model.fit(x, x[:, :1], epochs=20, verbose=0, callbacks=[callback])


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log_dir = tmp_path_factory.mktemp("logs")
    for name in RECORDED:
        record(log_dir, name)
    record_hostile(log_dir)
    return log_dir


@pytest.fixture(scope="session")
def server(logs: Path) -> Iterator[TensorBoard]:
    with tensorboard(logs) as running:
        running.wait_for_runs(*RECORDED, "hostile")
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "The browser tests need Chromium; `make test` installs it."
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()


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

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator('iframe[src*="gradhealth"]')

    def get(self, test_id: str, **attributes: str) -> Any:
        wanted = "".join(f'[data-{name}="{value}"]' for name, value in attributes.items())
        return self.frame.locator(f'[data-testid="{test_id}"]{wanted}')

    def open(self, **state: str) -> Tab:
        """Opens the tab afresh; `state` are keys of its URL."""
        from urllib.parse import quote

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
