"""Fixtures that all tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.effort import ONE_THREAD

os.environ.setdefault(ONE_THREAD, "1")  # before anybody imports TensorFlow

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


@pytest.fixture(params=[(), ("--load_fast=false",)], ids=["data_server", "in_process"])
def loader_flags(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Flags that select each of TensorBoard's two ways to load a log directory."""
    flags: tuple[str, ...] = request.param
    return flags


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium; of its driver, a process can have only one."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "The browser tests need Chromium; `make test` installs it."
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()
