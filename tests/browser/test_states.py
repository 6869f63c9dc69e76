"""Themes, sizes, readers, strange data and trouble: each has its state on screen."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import logs as small_logs
from tests.browser.conftest import WORDS_OF_SVG, Tab, save
from tests.browser.runs import HOSTILE, STRANGE_NAMES, STRANGER
from tests.cli.reported_runs import MARKUP, NAMES
from tests.tensorboard_process import TensorBoard, tensorboard

pytestmark = pytest.mark.browser

VIEWS = ("map", "layer", "flow", "compare", "rules")

SEEN = """element => {
  const { parentElement: parent, nextElementSibling: next } = element;
  const places = [[element], [parent], [parent, '::after'], ...(next ? [[next]] : [])];
  const ringed = places.some((place) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(...place);
    return (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
  });
  const path = element.closest('[data-testid]')?.dataset.testid ?? '';
  const words = element.textContent.slice(0, 40);
  const about = element.parentElement.className;
  return [`${path} ${about} ${element.localName} ${words}`, ringed];
}"""
"""Names an element, and tells whether it or what stands for it has a ring around it."""

AXE = Path(__file__).parents[2] / "frontend/node_modules/axe-core/axe.min.js"


@pytest.mark.parametrize("dark", [False, True])
def test_every_view_is_accessible_in_both_themes(
    browser: Browser, server: TensorBoard, dark: bool
) -> None:
    tab = Tab(browser, server.url + f"?darkMode={str(dark).lower()}", reduced_motion="reduce")
    tab.open(run="learning_rate/sick", compare="root_of_zero")
    expect(tab.get("map").locator("canvas").first).to_be_visible()
    frame = next(f for f in tab.page.frames if "plugin_entry" in f.url)
    assert frame.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    colour = frame.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in colour.strip("rgba()").split(",")[:3])
    assert brightness < 200 if dark else brightness > 650
    frame.evaluate(AXE.read_text())
    for view in VIEWS:
        tab.show(view)
        expect(tab.frame.get_by_role("tabpanel")).not_to_contain_text("Reading")
        violations = frame.evaluate("async () => (await axe.run()).violations")
        assert [(view, v["id"], [n["target"] for n in v["nodes"]]) for v in violations] == []
    tab.show("map")
    tab.get("map").get_by_role("button", name="Table").click()
    tab.get("map").get_by_test_id("export").locator("summary").click()
    for view in ("map", "layer", "compare"):
        tab.show(view)
        violations = frame.evaluate("async () => (await axe.run()).violations")
        assert [(view, v["id"], [n["target"] for n in v["nodes"]]) for v in violations] == []
    assert tab.problems == []
    tab.page.close()


@pytest.mark.parametrize("width", [800, 1440])
def test_nothing_is_cut_off_at_the_side(browser: Browser, server: TensorBoard, width: int) -> None:
    tab = Tab(browser, server.url, viewport={"width": width, "height": 900})
    tab.open(run="names", compare="root_of_zero")
    expect(tab.get("verdict")).to_be_visible()
    for view in VIEWS:
        tab.show(view)
        overflow = tab.frame.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
        assert (view, max(0, overflow)) == (view, 0)
    tab.page.close()


def test_unusual_runs_are_shown_as_they_are(tab: Tab) -> None:
    tab.open(run="names", signal="gradient_norm")
    for name in STRANGE_NAMES:
        expect(tab.get("map").get_by_title(name).first).to_be_visible()
    tab.get("run-item", run="only_nan").click()
    expect(tab.get("map")).to_contain_text("not measured")
    expect(tab.get("strip")).to_contain_text("NaN")
    tab.get("run-item", run="one_point").click()
    grid = tab.get("map").locator("canvas").first
    expect(grid).to_have_attribute("aria-label", "Gradient norm: 2 rows by 1 point")
    grid.press("Home")
    expect(tab.get("map-value")).to_contain_text("+Inf (overflow)")
    tab.get("run-item", run="far").click()
    expect(tab.get("strip").locator(".step-axis")).to_contain_text("999,999,999,99")


def test_it_works_in_the_frame_of_a_notebook(
    browser: Browser, server: TensorBoard, tmp_path: Path
) -> None:
    root = f"{server.url}#gradhealth&p.gradhealth.run=scaling%2Fsick"
    page_of_cell = f'<iframe src="{root}" width="100%" height="780"></iframe>'
    (tmp_path / "notebook.html").write_text(page_of_cell)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as notebook:
        threading.Thread(target=notebook.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.goto(f"http://127.0.0.1:{notebook.server_port}/notebook.html")
        inner = page.frame_locator("iframe").frame_locator('iframe[src*="gradhealth"]')
        expect(inner.get_by_test_id("verdict")).to_contain_text("Ill")
        page.close()
        notebook.shutdown()


def test_it_works_behind_a_path_prefix_with_the_other_loader(
    browser: Browser, tmp_path: Path
) -> None:
    small_logs.write_run(tmp_path / "run", range(20))
    with tensorboard(tmp_path, "--path_prefix=/behind/proxy", "--load_fast=false") as server:
        behind = TensorBoard(server.url + "behind/proxy/", server.log)
        behind.wait_for_runs("run")
        tab = Tab(browser, behind.url).open(run="run", view="layer", layer="a")
        expect(tab.get("layer")).to_contain_text("a/kernel")
        tab.page.close()


def test_a_run_without_a_finding_says_what_was_checked(tab: Tab) -> None:
    tab.open(run="large")
    expect(tab.get("verdict")).to_contain_text("Healthy")
    expect(tab.frame.locator(".nothing-found")).to_contain_text("found no sign of trouble")


def test_whatever_the_keyboard_reaches_is_seen_to_have_it(tab: Tab) -> None:
    tab.open(run="learning_rate/sick")
    expect(tab.get("map").locator("canvas").first).to_be_visible()
    tab.get("run-item", run="learning_rate/sick").focus()
    reached = set()
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        focused = tab.frame.locator(":focus")
        if focused.count() == 0:
            continue  # the tools of TensorBoard around the frame
        name, ring = focused.evaluate(SEEN)
        assert ring, f"no focus is seen on {name}"
        reached.add(name)
    for part in ("finding-head", "more-curves", "map-signal", "canvas", "Export"):
        assert any(part in name for name in reached), f"{part} is not among {sorted(reached)}"


def test_where_motion_is_not_wanted_steps_follow_slowly(
    browser: Browser, server: TensorBoard
) -> None:
    steps = {}
    for motion in ("reduce", "no-preference"):
        tab = Tab(browser, server.url, reduced_motion=motion)
        tab.page.clock.install()
        tab.open(run="large", view="flow")
        expect(tab.get("flow-step")).to_have_text("step 299")
        now = tab.page.evaluate("Date.now()")
        tab.page.clock.pause_at(now + 60_000)
        tab.get("play").click()
        tab.page.clock.run_for(1_500)
        steps[motion] = tab.get("flow-step").inner_text()
        tab.page.close()
    assert steps["reduce"] == "step 1"
    assert int(steps["no-preference"].removeprefix("step ")) > 5


def test_markup_in_a_name_is_text_in_every_view_and_file(tab: Tab, tmp_path: Path) -> None:
    tab.open(run="hostile", view="layer", layer=HOSTILE, signal="gradient_norm", compare="names")
    expect(tab.get("layer")).to_contain_text(f"{HOSTILE}/kernel")
    tab.show("flow")
    expect(tab.get("flow")).to_contain_text(HOSTILE)
    tab.show("map")
    tab.get("map").get_by_role("button", name="Table").click()
    expect(tab.get("map").locator("tbody")).to_contain_text(HOSTILE)
    tab.show("compare")
    expect(tab.get("partings")).to_contain_text("names")
    assert tab.frame.locator('img[src="x"]').count() == 0
    tab.show("map")
    assert HOSTILE in save(tab, "map", "CSV", tmp_path).read_text()
    assert HOSTILE in save(tab, "map", "JSON", tmp_path).read_text()


def test_a_run_and_findings_of_a_stranger_are_text_and_stay_on_the_page(
    browser: Browser, server: TensorBoard, tmp_path: Path
) -> None:
    tab = Tab(browser, server.url, viewport={"width": 800, "height": 900})
    tab.open(run=STRANGER, compare="hostile", signal="gradient_norm", layer=MARKUP)
    expect(tab.get("verdict")).to_contain_text(MARKUP)
    expect(tab.get("finding").first).to_contain_text(MARKUP)
    for view in VIEWS:
        tab.show(view)
        overflow = tab.frame.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
        assert (view, max(0, overflow)) == (view, 0)
    expect(tab.frame.get_by_text(STRANGER).first).to_be_attached()
    tab.show("map")
    told = save(tab, "map", "Markdown", tmp_path).read_text()
    assert "<img" not in re.sub("`[^`]*`", "", told), "outside of code, markup is markup"
    drawing = save(tab, "strip", "SVG", tmp_path).read_text()
    assert STRANGER in tab.page.evaluate(WORDS_OF_SVG, drawing)
    tab.get("map").locator("canvas").first.hover()
    expect(tab.get("map")).to_contain_text(NAMES[0])
    assert tab.frame.locator('img[src="x"]').count() == 0
    assert tab.problems == []
    tab.page.close()


def test_strange_names_are_whole_in_every_view_and_file(tab: Tab, tmp_path: Path) -> None:
    tab.open(run="names", view="flow", signal="gradient_norm", compare="tenfold")
    for name in STRANGE_NAMES:
        expect(tab.get("flow").get_by_title(name.rpartition("/")[0]).first).to_be_visible()
    tab.show("map")
    values = save(tab, "map", "CSV", tmp_path).read_text()
    tab.get("map").get_by_role("button", name="Table").click()
    for name in STRANGE_NAMES:
        expect(tab.get("map").locator("tbody")).to_contain_text(name)
        assert name in values
    tab.show("compare")
    for name in STRANGE_NAMES:
        expect(tab.get("difference").locator("tbody")).to_contain_text(name)
