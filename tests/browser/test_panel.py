"""What a person sees in the tab, in a real browser on a real TensorBoard."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import logs as small_logs
from tests.browser.conftest import HOSTILE, Tab
from tests.tensorboard_process import TensorBoard, tensorboard

pytestmark = pytest.mark.browser


def test_the_root_cause_comes_first_with_its_consequences(tab: Tab) -> None:
    tab.open(run="learning_rate/sick")
    expect(tab.get("verdict")).to_contain_text("Ill")
    first = tab.get("finding").first
    expect(first).to_have_attribute("data-rule", "learning_rate_too_high")
    expect(first).to_contain_text("dense/kernel")
    expect(first).to_contain_text("keras.optimizers.Adam(learning_rate=")
    consequence = tab.get("finding", rule="dead_units")
    expect(consequence).to_have_count(1)


def test_every_recorded_run_is_offered_with_its_verdict(tab: Tab) -> None:
    tab.open()
    expect(tab.get("run-item")).to_have_count(5)
    expect(tab.get("run-item").filter(has_text="activation/fixed")).to_contain_text("Healthy")


def test_a_healthy_run_says_so(tab: Tab) -> None:
    tab.open(run="activation/fixed")
    expect(tab.get("verdict")).to_contain_text("Healthy")
    expect(tab.get("finding")).to_have_count(0)


def test_the_map_reads_values_and_switches_signals(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", signal="update_ratio")
    expect(tab.get("map")).to_contain_text("dense/kernel")
    canvas = tab.get("map").locator("canvas").first
    canvas.press("Home")
    canvas.press("ArrowRight")
    expect(tab.get("map-value")).to_contain_text("step 1")
    for title in ("Gradient norm", "Dead units", "Saturated outputs"):
        tab.get("map-signal").get_by_text(title, exact=True).click()
        expect(tab.get("map")).to_contain_text(title)


def test_nan_has_its_own_mark_and_is_read_as_nan(tab: Tab) -> None:
    tab.open(run="root_of_zero", signal="gradient_norm")
    expect(tab.get("map")).to_contain_text("hidden/kernel")
    tab.get("map").locator("canvas").first.press("End")
    expect(tab.get("map-value")).to_contain_text("NaN")
    expect(tab.get("map")).to_contain_text("NaN")


def test_the_training_strip_shows_loss_rate_and_norm(tab: Tab) -> None:
    tab.open(run="scaling/sick")
    for title in ("Loss", "Learning rate", "Global gradient norm"):
        expect(tab.get("strip")).to_contain_text(title)


def test_markup_in_a_name_is_text(tab: Tab) -> None:
    tab.open(run="hostile", signal="gradient_norm")
    expect(tab.get("map")).to_contain_text(HOSTILE)
    assert tab.frame.locator('img[src="x"]').count() == 0


def test_an_unknown_run_in_the_url_is_named(tab: Tab) -> None:
    tab.open(run="no such run")
    expect(tab.get("unknown-run")).to_contain_text("no such run")
    expect(tab.get("run-item")).to_have_count(5)


def test_an_unknown_layer_in_the_url_is_named_and_the_run_is_shown(tab: Tab) -> None:
    tab.open(run="scaling/sick", layer="no such layer")
    expect(tab.get("unknown-choice")).to_contain_text("no such layer")
    expect(tab.get("finding").first).to_be_visible()
    tab.get("unknown-choice").get_by_role("button").click()
    expect(tab.get("unknown-choice")).to_have_count(0)


def test_the_url_follows_the_selection(tab: Tab) -> None:
    tab.open(run="scaling/sick")
    tab.get("run-item").filter(has_text="root_of_zero").click()
    expect(tab.get("verdict")).to_contain_text("NaN")
    assert "p.gradhealth.run=root_of_zero" in tab.page.url


@pytest.mark.parametrize("dark", [False, True])
def test_both_themes_paint_their_own_background(
    browser: Browser, server: TensorBoard, dark: bool
) -> None:
    tab = Tab(browser, server.url + f"?darkMode={str(dark).lower()}")
    tab.open(run="scaling/sick")
    expect(tab.get("verdict")).to_be_visible()
    theme = "dark" if dark else "light"
    expect(tab.frame.locator("html")).to_have_attribute("data-theme", theme)
    colour = tab.frame.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    brightness = sum(int(part) for part in colour.strip("rgba()").split(",")[:3])
    assert brightness < 200 if dark else brightness > 650
    tab.page.close()


@pytest.mark.parametrize("width", [800, 1440])
def test_nothing_is_cut_off_at_the_side(browser: Browser, server: TensorBoard, width: int) -> None:
    tab = Tab(browser, server.url, viewport={"width": width, "height": 900})
    tab.open(run="learning_rate/sick")
    expect(tab.get("verdict")).to_be_visible()
    overflow = "e => e.scrollWidth - e.clientWidth"
    assert tab.frame.locator("html").evaluate(overflow) <= 0
    tab.page.close()


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_accessible(browser: Browser, server: TensorBoard, dark: bool) -> None:
    axe = Path(__file__).parents[2] / "frontend/node_modules/axe-core/axe.min.js"
    tab = Tab(browser, server.url + f"?darkMode={str(dark).lower()}")
    tab.open(run="learning_rate/sick")
    expect(tab.get("map").locator("canvas").first).to_be_visible()
    frame = next(f for f in tab.page.frames if "plugin_entry" in f.url)
    frame.evaluate(axe.read_text())
    violations = frame.evaluate("async () => (await axe.run()).violations")
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in violations] == []
    tab.page.close()


def test_without_data_the_page_shows_how_to_start(browser: Browser, tmp_path: Path) -> None:
    with tensorboard(tmp_path) as server:
        tab = Tab(browser, server.url).open()
        expect(tab.get("empty")).to_contain_text("gradhealth.HealthCallback")
        expect(tab.get("empty")).to_contain_text("tensorboard --logdir")
        assert tab.problems == []
        tab.page.close()


def test_every_point_is_shown_and_sampling_is_said(
    browser: Browser, tmp_path: Path, loader_flags: tuple[str, ...]
) -> None:
    small_logs.write_run(tmp_path / "long", range(3000))
    sampled = ("--samples_per_plugin", "gradhealth=50")
    for flags, notes in (((), 0), (sampled, 1)):
        with tensorboard(tmp_path, *loader_flags, *flags) as server:
            server.wait_for_runs("long")
            tab = Tab(browser, server.url).open(run="long")
            expect(tab.get("verdict")).to_contain_text("50 of 3,000" if notes else "3,000 points")
            expect(tab.get("notes")).to_have_count(notes)
            tab.page.close()


def test_a_run_that_grows_is_followed(browser: Browser, tmp_path: Path) -> None:
    from tensorboard_gradhealth.storage.writer import RunWriter

    writer = RunWriter(tmp_path / "growing")
    writer.write_info(small_logs.info(), 0)
    writer.write_record(small_logs.record(0, 1))
    writer.flush()
    with tensorboard(tmp_path) as server:
        server.wait_for_runs("growing")
        tab = Tab(browser, server.url).open(run="growing")
        expect(tab.get("run-item")).to_contain_text("step 0")
        writer.write_record(small_logs.record(7, 2))
        writer.flush()
        expect(tab.get("run-item")).to_contain_text("step 7", timeout=30_000)
        tab.page.close()
    writer.close()


def test_a_server_that_dies_is_said_and_what_was_shown_stays(
    browser: Browser, tmp_path: Path
) -> None:
    small_logs.write_run(tmp_path / "run", range(20))
    with tensorboard(tmp_path) as server:
        server.wait_for_runs("run")
        tab = Tab(browser, server.url).open(run="run")
        expect(tab.get("map").locator("canvas").first).to_be_visible()
    expect(tab.get("error").first).to_be_visible(timeout=30_000)
    expect(tab.get("map").locator("canvas").first).to_be_visible()
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
