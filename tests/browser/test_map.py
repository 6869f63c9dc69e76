"""The health map: reading it, choosing what it shows, and taking it away."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WORDS_OF_SVG, Tab, save

pytestmark = pytest.mark.browser


def test_values_are_read_with_the_keyboard_and_signals_switched(tab: Tab) -> None:
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


def test_rows_are_filtered_and_gathered_in_blocks(tab: Tab) -> None:
    tab.open(run="large", signal="gradient_norm")
    grid = tab.get("map").locator("canvas").first
    expect(grid).to_have_attribute("aria-label", "Gradient norm: 60 rows by 300 points")
    tab.get("row-filter").fill("block_[12]/")
    expect(grid).to_have_attribute("aria-label", "Gradient norm: 20 rows by 300 points")
    tab.get("map").get_by_role("button", name="Blocks").click()
    expect(grid).to_have_attribute("aria-label", "Gradient norm: 2 rows by 300 points")
    grid.press("End")
    expect(tab.get("map-value")).to_contain_text("10 rows")
    grid.press("Enter")
    expect(grid).to_have_attribute("aria-label", "Gradient norm: 12 rows by 300 points")


def test_a_signal_nobody_heard_of_is_drawn_from_its_description(tab: Tab) -> None:
    tab.open(run="large", signal="unheard_of")
    expect(tab.get("map")).to_contain_text("Unheard of")
    grid = tab.get("map").locator("canvas").first
    grid.press("End")
    # Measured at every twentieth step: the last value holds until the end.
    expect(tab.get("map-value")).to_contain_text("step 280")
    expect(tab.get("map-value")).to_contain_text("280 furlongs")
    tab.get("map").get_by_label("Value").select_option("max")
    tab.get("map").get_by_label("Scale").select_option("log")
    expect(tab.get("map")).to_contain_text("exactly 0")


def test_a_drag_zooms_all_charts_and_the_link_reproduces_it(tab: Tab) -> None:
    tab.open(run="large", signal="gradient_norm")
    grid = tab.get("map").locator("canvas").first
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box
    tab.page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50, steps=3)
    tab.page.mouse.up()
    zoomed = tab.get("strip").get_by_role("button", name="show all steps")
    expect(zoomed).to_contain_text("steps 7")
    tab.expect_link("p.gradhealth.steps=7")
    link, words = tab.page.url, zoomed.text_content() or ""
    tab.page.goto("about:blank")
    tab.page.goto(link)
    expect(zoomed).to_have_text(words)
    zoomed.click()
    expect(zoomed).to_have_count(0)


def test_the_map_and_the_report_can_be_taken_away(tab: Tab, tmp_path: Path) -> None:
    tab.open(run="root_of_zero", signal="gradient_norm")
    expect(tab.get("map").locator("canvas").first).to_be_visible()
    kinds = ("PNG", "CSV", "JSON", "Markdown")
    files = {kind: save(tab, "map", kind, tmp_path) for kind in kinds}
    assert files["PNG"].read_bytes().startswith(b"\x89PNG")
    assert files["CSV"].name == "root_of_zero-gradient_norm.csv"
    assert "hidden/kernel,0,0,NaN" in files["CSV"].read_text()
    assert json.loads(files["JSON"].read_text())["values"][0]["mean"] == "NaN"
    assert files["Markdown"].read_text().startswith("# Ill")


def test_curves_can_be_taken_away(tab: Tab, tmp_path: Path) -> None:
    tab.open(run="learning_rate/sick", view="layer", layer="dense")
    expect(tab.get("layer").locator("canvas").first).to_be_visible()
    values = save(tab, "layer", "CSV", tmp_path).read_text().splitlines()
    assert values[0] == "curve,signal,unit,first_step,last_step,value,min,max"
    assert any(line.startswith("dense/kernel,gradient_norm,") for line in values)
    drawing = save(tab, "strip", "SVG", tmp_path).read_text()
    words = tab.page.evaluate(WORDS_OF_SVG, drawing)
    assert {"learning_rate/sick", "Loss", "Learning rate", "step"} <= set(words)


def test_the_pointer_reads_a_cell_and_opens_its_layer(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", signal="gradient_norm")
    grid = tab.get("map").locator("canvas").first
    grid.hover(position={"x": 5, "y": 10})
    expect(tab.get("map-value")).to_contain_text("dense/kernel")
    expect(tab.get("map-value")).to_contain_text("step 0")
    expect(tab.get("map-value")).to_contain_text("loss / parameter")
    grid.click(position={"x": 5, "y": 10})
    expect(tab.get("layer")).to_contain_text("dense/kernel")


def test_the_newest_steps_are_one_click_away(tab: Tab) -> None:
    tab.open(run="large", signal="gradient_norm")
    tab.get("strip").get_by_role("button", name="Recent").click()
    zoomed = tab.get("strip").get_by_role("button", name="show all steps")
    expect(zoomed).to_contain_text("recent steps 200\u2013299")
    expect(tab.get("map").locator("canvas").first).to_have_attribute(
        "aria-label", "Gradient norm: 60 rows by 100 points"
    )
    tab.expect_link("p.gradhealth.steps=recent")


def test_another_signal_takes_the_place_of_the_last_without_a_gap(tab: Tab) -> None:
    tab.open(run="large", signal="gradient_norm")
    grid = tab.get("map").locator("canvas").first
    expect(grid).to_be_visible()
    drawn = grid.element_handle()
    tab.get("map-signal").get_by_label("Other signals").select_option("unheard_of")
    expect(grid).to_have_attribute("aria-label", re.compile("^Unheard of"))
    assert drawn.evaluate("canvas => canvas.isConnected")


def test_colours_are_those_of_the_scale_that_is_chosen(tab: Tab) -> None:
    tab.open(run="large", signal="gradient_norm")
    largest = tab.get("map").locator(".legend-ticks span").last
    expect(largest).to_have_text("10")  # a log scale spans whole decades
    tab.get("map").get_by_label("Scale").select_option("linear")
    expect(largest).to_have_text("2.72")


def test_every_chart_has_a_table_behind_it(tab: Tab) -> None:
    tab.open(run="root_of_zero", signal="gradient_norm")
    tab.get("map").get_by_role("button", name="Table").click()
    expect(tab.get("map").locator("tbody")).to_contain_text("hidden/kernel")
    expect(tab.get("strip").locator("tbody")).to_contain_text("Learning rate")
    tab.show("layer")
    expect(tab.get("layer").locator("tbody")).to_contain_text("hidden/bias")
    tab.get("run-pick", run="learning_rate/sick").check()
    tab.show("compare")
    expect(tab.get("compare-curves").locator("tbody")).to_contain_text("learning_rate/sick")
