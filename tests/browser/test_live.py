"""What changes while somebody looks: runs that grow, servers that die, runs that are picked."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tensorboard_gradhealth.storage.writer import RunWriter
from tests import logs as small_logs
from tests.browser.conftest import Tab
from tests.tensorboard_process import tensorboard

pytestmark = pytest.mark.browser

COUNT_REMOVALS = """main => {
  main.dataset.removed = '0';
  const elements = (record) => [...record.removedNodes].filter((node) => node.nodeType === 1);
  new MutationObserver((records) => {
    main.dataset.removed = Number(main.dataset.removed) + records.flatMap(elements).length;
  }).observe(main, {childList: true, subtree: true});
}"""
"""Counts the elements that are taken out of the page, as whatever flickers is."""


def test_twenty_runs_are_compared_at_once(browser: Browser, tmp_path: Path) -> None:
    names = [f"sweep/run_{index}" for index in range(20)]
    for index, name in enumerate(names):
        small_logs.write_run(tmp_path / name, range(60), value=index)
    with tensorboard(tmp_path) as server:
        server.wait_for_runs(*names)
        tab = Tab(browser, server.url).open(
            run=names[0], compare="\n".join(names[1:]), view="compare"
        )
        expect(tab.get("view-tab", view="compare")).to_contain_text("20 runs")
        expect(tab.get("compare-curves").locator("canvas")).to_have_count(1)
        expect(tab.get("other-verdicts").locator("li")).to_have_count(19)
        assert tab.problems == []
        tab.page.close()


def test_every_point_is_shown_and_sampling_is_said(browser: Browser, tmp_path: Path) -> None:
    small_logs.write_run(tmp_path / "long", range(1200))
    sampled = ("--samples_per_plugin", "gradhealth=50")
    for flags, notes in (((), 0), (sampled, 1)):
        with tensorboard(tmp_path, *flags) as server:
            server.wait_for_runs("long")
            tab = Tab(browser, server.url).open(run="long")
            expect(tab.get("verdict")).to_contain_text("50 of 1,200" if notes else "1,200 points")
            expect(tab.get("notes")).to_have_count(notes)
            tab.page.close()


def test_a_run_that_grows_is_followed_and_its_zoom_stays(browser: Browser, tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "growing")
    writer.write_info(small_logs.info(), 0)
    for step in range(5):
        writer.write_record(small_logs.record(step, step + 1))
    writer.flush()
    with tensorboard(tmp_path) as server:
        server.wait_for_runs("growing")
        tab = Tab(browser, server.url).open(run="growing", steps="1-3")
        zoomed = tab.get("strip").get_by_role("button", name="show all steps")
        expect(zoomed).to_contain_text("steps 1\u20133")
        expect(tab.get("run-item")).to_contain_text("step 4")
        expect(tab.get("map").locator("canvas").first).to_be_visible()
        content = tab.frame.locator("main")
        content.evaluate(COUNT_REMOVALS)
        writer.write_record(small_logs.record(7, 6))
        writer.flush()
        expect(tab.get("run-item")).to_contain_text("step 7")
        expect(tab.get("verdict")).to_contain_text("last step 7")
        expect(zoomed).to_contain_text("steps 1\u20133")
        assert content.evaluate("main => main.dataset.removed") == "0", "it flickered"
        tab.page.close()
    writer.close()


def test_a_server_that_dies_is_said_and_forgotten_when_it_returns(
    browser: Browser, tmp_path: Path
) -> None:
    small_logs.write_run(tmp_path / "run", range(20))
    with tensorboard(tmp_path) as server:
        server.wait_for_runs("run")
        tab = Tab(browser, server.url).open(run="run")
        expect(tab.get("map").locator("canvas").first).to_be_visible()
        port = str(urllib.parse.urlparse(server.url).port)
    expect(tab.get("error").first).to_contain_text("TensorBoard cannot be reached")
    expect(tab.get("error").first).to_contain_text("What you see was loaded at")
    expect(tab.get("map").locator("canvas").first).to_be_visible()
    with tensorboard(tmp_path, "--port", port) as server:
        server.wait_for_runs("run")
        expect(tab.get("error")).to_have_count(0)
        expect(tab.get("verdict")).to_be_visible()
    tab.page.close()


def test_who_follows_no_run_live_tries_again_by_hand(browser: Browser, tmp_path: Path) -> None:
    small_logs.write_run(tmp_path / "run", range(20))
    with tensorboard(tmp_path) as server:
        server.wait_for_runs("run")
        tab = Tab(browser, server.url).open(run="run")
        expect(tab.get("map").locator("canvas").first).to_be_visible()
        tab.page.route("**/plugin/gradhealth/*", lambda route: route.abort())
        expect(tab.get("error")).to_be_visible()
        tab.get("live").uncheck()
        tab.page.unroute("**/plugin/gradhealth/*")
        tab.get("error").get_by_role("button", name="Try again").click()
        expect(tab.get("error")).to_have_count(0)
        tab.page.close()


def test_a_broken_run_says_why_and_the_others_live(browser: Browser, tmp_path: Path) -> None:
    small_logs.write_run(tmp_path / "good", range(5))
    small_logs.write_newer_run(tmp_path / "newer")
    with tensorboard(tmp_path) as server:
        server.wait_for_runs("good", "newer")
        tab = Tab(browser, server.url).open(run="newer")
        expect(tab.get("verdict")).to_contain_text("Upgrade")
        expect(tab.get("run-item")).to_have_count(2)
        tab.page.close()


def test_without_data_the_page_shows_how_to_start(browser: Browser, tmp_path: Path) -> None:
    with tensorboard(tmp_path) as server:
        tab = Tab(browser, server.url).open()
        expect(tab.get("empty")).to_contain_text("gradhealth.HealthCallback")
        expect(tab.get("empty")).to_contain_text("tensorboard --logdir")
        assert tab.problems == []
        tab.page.close()
