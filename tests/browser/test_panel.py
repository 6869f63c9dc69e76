"""What a person sees first in the tab: which runs there are, how they are, and why."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Tab
from tests.browser.runs import ALL, HOSTILE
from tests.tensorboard_process import TensorBoard

pytestmark = pytest.mark.browser


def test_the_root_cause_comes_first_with_its_curve_and_its_consequences(tab: Tab) -> None:
    tab.open(run="learning_rate/sick")
    expect(tab.get("verdict")).to_contain_text("Ill")
    first = tab.get("finding").first
    expect(first).to_have_attribute("data-rule", "learning_rate_too_high")
    expect(first).to_contain_text("dense/kernel")
    expect(first).to_contain_text("keras.optimizers.Adam(learning_rate=")
    expect(first.get_by_test_id("spark").first).to_contain_text("limit 1")
    consequence = tab.get("finding", rule="dead_units")
    expect(consequence).to_have_count(1)
    expect(consequence).not_to_be_visible()


def test_since_when_where_why_and_what_to_try_are_told_at_once(tab: Tab) -> None:
    tab.open(run="learning_rate/sick")
    verdict = tab.get("verdict")
    expect(verdict).to_contain_text("Try first Lower the learning rate")
    expect(verdict).to_contain_text(re.compile(r"since step \d+"))
    expect(verdict).to_be_in_viewport()
    first = tab.get("finding").first
    evidence = first.get_by_test_id("spark").first
    expect(evidence).to_contain_text(re.compile(r"\d at step \d+"))
    expect(evidence.locator(".spark-point")).to_have_count(1)
    for words in ("still open", "likely", "ruled out", "Harmless when", "GH301 and its limits"):
        expect(first).to_contain_text(words)


def test_a_run_without_measurements_is_neither_healthy_nor_ill(tab: Tab) -> None:
    tab.open(run="unmeasured")
    expect(tab.get("verdict")).to_contain_text("Not measured")
    expect(tab.get("verdict")).not_to_contain_text("Healthy")
    expect(tab.frame.locator(".nothing-found")).to_contain_text("Nothing to judge by yet")


def test_where_nothing_is_found_the_charts_have_the_whole_width(tab: Tab) -> None:
    widths = {}
    for run in ("learning_rate/sick", "large"):
        tab.open(run=run)
        expect(tab.get("map").locator("canvas").first).to_be_visible()
        box = tab.get("map").bounding_box()
        assert box
        widths[run] = box["width"]
    assert widths["large"] > 1.5 * widths["learning_rate/sick"]


def test_a_finding_brings_the_charts_to_its_signal_layer_and_steps(tab: Tab) -> None:
    tab.open(run="learning_rate/sick", signal="gradient_norm", steps="0-3")
    zoomed = tab.get("strip").get_by_role("button", name="show all steps")
    expect(zoomed).to_be_visible()
    tab.frame.locator(".consequences summary").click()
    tab.get("finding", rule="dead_units").get_by_role("button").first.click()
    expect(tab.get("map")).to_have_attribute("data-signal", "dead_fraction")
    expect(tab.frame.locator(".row-label.chosen")).to_contain_text("dense")
    expect(tab.frame.locator(".lane-bar")).to_have_count(1)
    expect(zoomed).to_have_count(0)  # it began later
    tab.get("finding", rule="dead_units").get_by_text("Open its layer").click()
    expect(tab.get("layer")).to_contain_text("Dead units")
    tab.expect_link("p.gradhealth.finding=dead_units")


def test_a_fix_and_a_report_are_copied(browser: Browser, server: TensorBoard) -> None:
    tab = Tab(browser, server.url, permissions=["clipboard-read", "clipboard-write"])
    tab.open(run="learning_rate/sick")
    copied = "navigator.clipboard.readText()"
    tab.get("finding").first.get_by_role("button", name="Copy").first.click()
    expect(tab.get("finding").first).to_contain_text("Copied")
    assert tab.page.evaluate(copied).startswith("optimizer = keras.optimizers.Adam")
    tab.get("verdict").get_by_role("button", name="Copy report").click()
    expect(tab.get("verdict")).to_contain_text("Copied")
    assert tab.page.evaluate(copied).startswith("# Ill: Learning rate")
    tab.page.close()


def test_every_recorded_run_is_offered_with_its_verdict(tab: Tab) -> None:
    tab.open()
    expect(tab.get("run-item")).to_have_count(len(ALL))
    healthy = tab.get("run-item", run="activation/fixed")
    expect(healthy).to_contain_text(re.compile("Healthy|remark"))
    healthy.click()
    expect(tab.get("verdict")).to_contain_text("Healthy")
    for severity in ("warning", "error"):
        expect(tab.get("finding", severity=severity)).to_have_count(0)


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
    expect(tab.get("run-item")).to_have_count(len(ALL))


def test_an_unknown_layer_in_the_url_is_named_and_the_run_is_shown(tab: Tab) -> None:
    tab.open(run="scaling/sick", layer="no such layer")
    expect(tab.get("unknown-choice")).to_contain_text("no such layer")
    expect(tab.get("finding").first).to_be_visible()
    tab.get("unknown-choice").get_by_role("button").click()
    expect(tab.get("unknown-choice")).to_have_count(0)


def test_the_url_follows_the_selection(tab: Tab) -> None:
    tab.open(run="scaling/sick")
    tab.get("run-item", run="root_of_zero").click()
    expect(tab.get("verdict")).to_contain_text("NaN")
    tab.expect_link("p.gradhealth.run=root_of_zero")
