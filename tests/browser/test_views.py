"""The other views of a run: a layer, the flow along the network, a comparison, the rules."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tensorboard_gradhealth.rules import RULES
from tests.browser.conftest import Tab
from tests.browser.runs import STRANGE_NAMES
from tests.tensorboard_process import TensorBoard

pytestmark = pytest.mark.browser


def test_a_row_opens_its_layer_and_the_single_steps_before_a_finding(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", signal="update_ratio")
    tab.get("map").locator("canvas").first.press("Enter")
    layer = tab.get("layer")
    for title in ("dense/kernel", "dense/bias", "Update ratio", "Dead units", "Weight size"):
        expect(layer).to_contain_text(title)
    expect(layer).to_contain_text("usual in healthy training")
    tab.get("flights").get_by_text("before GH401").click()
    expect(tab.get("strip").locator(".step-axis")).to_contain_text("30")
    expect(tab.get("strip").locator(".step-axis")).not_to_contain_text("190")
    layer.get_by_role("button", name="Towards the output").click()
    expect(layer).to_contain_text("dense_1/kernel")
    tab.expect_link("p.gradhealth.view=layer")
    tab.expect_link("p.gradhealth.layer=dense_1")


def test_charts_of_a_layer_have_room_and_the_steps_stay_in_sight(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", view="layer", layer="dense")
    expect(tab.get("strip").get_by_test_id("chart")).to_have_count(1)
    layer = tab.get("layer")
    heights = []
    for signal in ("gradient_norm", "gradient_nonfinite"):
        box = layer.locator(f'[data-signal="{signal}"] .strip-plot').first.bounding_box()
        assert box
        heights.append(box["height"])
    assert heights[0] > heights[1] + 20, "a curve with a shape is taller than a flat one"
    layer.get_by_test_id("chart").last.scroll_into_view_if_needed()
    expect(tab.get("strip").locator(".step-axis")).to_be_in_viewport()


def test_the_flow_along_the_network_plays(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", view="flow")
    flow = tab.get("flow")
    expect(flow.locator("tbody tr")).to_have_count(2)
    expect(tab.get("flow-step")).to_have_text("step 199")
    flow.get_by_label("Step").fill("0")
    expect(tab.get("flow-step")).to_have_text("step 0")
    expect(flow.locator("td.unusual").first).to_be_visible()
    tab.get("play").click()
    expect(tab.get("flow-step")).not_to_have_text("step 0")
    tab.get("play").click()
    flow.get_by_role("button", name="dense_1").click()
    expect(tab.get("layer")).to_contain_text("dense_1/kernel")


def test_runs_are_compared(tab: Tab) -> None:
    tab.open(run="learning_rate/sick")
    tab.get("run-pick", run="activation/fixed").check()
    expect(tab.get("other-verdicts")).to_contain_text("activation/fixed")
    expect(tab.get("other-verdicts")).to_contain_text("Healthy")
    tab.show("compare")
    compare = tab.get("compare")
    expect(tab.get("compare-curves").locator("canvas")).to_have_count(3)
    expect(tab.get("partings")).to_contain_text("step 0: 1 against 1e-3")
    expect(compare).to_contain_text("Dead units GH401")
    expect(compare).to_contain_text("binary_crossentropy")
    tab.expect_link("p.gradhealth.view=compare")
    link = tab.page.url
    tab.page.goto("about:blank")
    tab.page.goto(link)
    expect(tab.get("compare-curves").locator("canvas")).to_have_count(3)
    compare.get_by_role("button", name="Take activation/fixed out").click()
    expect(compare).to_contain_text("Tick runs in the list")


def test_two_runs_of_one_network_are_laid_over_each_other_cell_by_cell(tab: Tab) -> None:
    tab.open(run="only_nan", compare="one_point", view="compare", signal="gradient_norm")
    difference = tab.get("difference")
    expect(difference).to_contain_text("Gradient norm, decades apart")
    expect(difference.locator("canvas").first).to_have_attribute(
        "aria-label", "Gradient norm, decades apart: 2 rows by 1 point"
    )
    expect(difference).to_contain_text("NaN")
    tab.get("run-pick", run="one_point").uncheck()
    tab.get("run-pick", run="far").check()
    expect(difference).to_contain_text("no step in common")


def test_a_difference_of_two_runs_says_by_how_much_and_has_a_table(tab: Tab) -> None:
    tab.open(run="names", compare="tenfold", view="compare", signal="gradient_norm")
    difference = tab.get("difference")
    difference.locator("canvas").first.press("Home")
    expect(difference.get_by_test_id("map-value")).to_contain_text("1")
    expect(tab.get("partings")).to_contain_text("step 0: 1 against 10")
    tab.get("compare-curves").get_by_role("button", name="Table").click()
    expect(difference.locator("tbody tr")).to_have_count(len(STRANGE_NAMES))


def test_the_edge_of_stability_is_told_in_words(tab: Tab) -> None:
    tab.open(run="scaling/sick")
    margin = tab.get("chart", signal="stability_margin")
    expect(margin).to_contain_text("stable")
    sharpness = tab.get("chart", signal="preconditioned_sharpness")
    expect(sharpness).to_contain_text("limit (Adam: 38/η)")


def test_a_finding_about_the_inputs_opens_with_their_spread(tab: Tab) -> None:
    tab.open(run="scaling/sick")
    expect(tab.get("map")).to_have_attribute("data-signal", "input_features")
    expect(tab.get("map").get_by_label("Value")).to_have_value("std")
    expect(tab.frame.locator(".row-label.chosen")).to_contain_text("x[:, 1]")
    tab.get("finding").first.get_by_text("Open its curves").click()
    expect(tab.get("layer")).to_contain_text("Input features")


def test_the_strip_has_validation_and_clipping_with_their_units(tab: Tab) -> None:
    tab.open(run="large")
    loss = tab.get("chart", signal="loss")
    expect(loss).to_contain_text("Validation loss")
    expect(loss.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"Validation loss: from 2\.05 loss to 1\.12 loss")
    )
    clipped = tab.get("chart", signal="clip_rate")
    expect(clipped).to_contain_text("Clipped steps")
    expect(clipped).to_contain_text("share of steps")


def test_each_chart_has_a_table_behind_it(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", signal="update_ratio")
    tab.get("map").get_by_role("button", name="Table").click()
    expect(tab.get("map").locator("tbody")).to_contain_text("dense/kernel")
    expect(tab.get("strip").locator("tbody")).to_contain_text("Loss")
    tab.show("layer")
    expect(tab.get("layer").locator("tbody")).to_contain_text("dense/kernel")
    expect(tab.frame.locator("canvas")).to_have_count(0)
    tab.show("flow")
    for title in ("Gradient norm", "Update ratio", "Dead units", "Saturated outputs"):
        expect(tab.get("flow").get_by_role("columnheader", name=title)).to_be_visible()


def test_a_link_shows_somebody_else_the_same_view(
    browser: Browser, server: TensorBoard, tab: Tab
) -> None:
    tab.open(run="scaling/sick")
    tab.get("run-item", run="learning_rate/sick").click()
    tab.frame.locator(".consequences summary").click()
    tab.get("finding", rule="dead_units").get_by_role("button").first.click()
    tab.get("finding", rule="dead_units").get_by_text("Zoom to its steps").click()
    zoomed = tab.get("strip").get_by_role("button", name="show all steps")
    expect(zoomed).to_be_visible()
    tab.expect_link("p.gradhealth.steps=")
    other = Tab(browser, server.url)
    other.page.goto(tab.page.url)
    expect(other.get("strip").get_by_role("button", name="show all steps")).to_have_text(
        zoomed.text_content() or ""
    )
    expect(other.get("map")).to_have_attribute("data-signal", "dead_fraction")
    expect(other.frame.locator(".row-label.chosen")).to_contain_text("dense")
    expect(other.get("finding", rule="dead_units").get_by_role("button").first).to_have_attribute(
        "aria-expanded", "true"
    )
    assert other.problems == []
    other.page.close()


def test_every_rule_is_listed_and_says_why_it_was_not_evaluated(tab: Tab) -> None:
    tab.open(run="large", view="rules")
    expect(tab.get("rule-row")).to_have_count(len(RULES))
    skipped = tab.get("rule-row", rule="dead_units")
    expect(skipped).to_contain_text("not evaluated")
    expect(skipped).to_contain_text("dead_fraction")
    expect(skipped.get_by_test_id("limit").first).not_to_be_visible()
    skipped.locator("summary").click()
    expect(skipped.get_by_test_id("limit").first).to_be_visible()


def test_a_finding_leads_to_its_rule(tab: Tab) -> None:
    tab.open(run="learning_rate/sick")
    tab.get("finding").first.get_by_test_id("rule-link").click()
    expect(tab.get("rule-row", rule="learning_rate_too_high")).to_be_focused()
    expect(tab.get("rule-row", rule="learning_rate_too_high")).to_be_in_viewport()


def test_the_rules_tell_how_they_stand_in_compared_runs(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", compare="activation/fixed", view="rules")
    row = tab.get("rule-row", rule="dead_units")
    expect(row.get_by_test_id("other-states")).to_have_text("clean in activation/fixed")


def test_limits_are_tried_on_the_server_and_reset(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", view="rules")
    row = tab.get("rule-row", rule="dead_units")
    expect(row).to_contain_text("firing")
    for name in ("warning", "error"):
        limit = row.locator(f'[data-testid="limit"][data-name="{name}"]')
        limit.fill("1")
        limit.press("Enter")
    expect(tab.get("trial")).to_contain_text("A trial, not what ran live")
    expect(tab.get("trial")).to_contain_text("Gone: Dead units")
    expect(row.get_by_test_id("tried-state")).to_contain_text("clean")
    expect(tab.get("verdict")).to_contain_text("Ill")
    tab.get("reset-limits").click()
    expect(tab.get("trial")).to_have_count(0)
    expect(limit).not_to_have_value("1")


def test_views_are_reached_with_the_keyboard_alone(tab: Tab) -> None:
    tab.open(run="learning_rate/sick")
    tab.get("view-tab", view="map").press("ArrowRight")
    expect(tab.get("view-tab", view="layer")).to_be_focused()
    expect(tab.get("layer")).to_be_visible()
    tab.get("view-tab", view="layer").press("ArrowLeft")
    grid = tab.get("map").locator("canvas").first
    grid.press("ArrowDown")
    grid.press("Enter")
    expect(tab.get("layer")).to_contain_text("dense/bias")
    tab.expect_link("p.gradhealth.layer=dense")
