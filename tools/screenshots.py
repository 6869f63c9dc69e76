"""Takes the pictures of the tab for README and docs: `make screenshots`.

Trains three runs of the gallery, serves them with a real TensorBoard and opens each view in a real
Chromium, in both themes and at two widths.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from playwright.sync_api import Browser, sync_playwright

import tensorboard_gradhealth as gradhealth
from demo.gallery import RUNS
from tests.tensorboard_process import tensorboard

IMAGES = Path(__file__).parents[1] / "docs" / "images"
TRAINED = ("learning_rate/sick", "learning_rate/fixed", "vanishing_sigmoids")
SICK = {"run": "learning_rate/sick"}
STATES: dict[str, dict[str, str]] = {
    "panel": SICK,
    "map": {"run": "vanishing_sigmoids", "signal": "gradient_norm"},
    "layer": {**SICK, "view": "layer", "layer": "dense/kernel"},
    "flow": {"run": "vanishing_sigmoids", "view": "flow"},
    "compare": {**SICK, "view": "compare", "compare": "learning_rate/fixed"},
    "rules": {**SICK, "view": "rules"},
}
READY = {
    "layer": '[data-testid="layer"] canvas',
    "flow": '[data-testid="flow"] td',
    "compare": '[data-testid="compare-curves"] canvas',
    "rules": '[data-testid="rule-row"]',
}
"""What tells that a view is drawn; of the others it is the map."""

WIDTHS = {"": 1440, "-narrow": 800}


def train(log_dir: Path) -> None:
    """Trains the runs that are shown."""
    for run in RUNS:
        if run.name in TRAINED:
            keras.backend.clear_session()
            run.train([gradhealth.HealthCallback(log_dir / run.name, verbose=0)], 0)


def shoot(browser: Browser, root: str, name: str, dark: bool, suffix: str) -> None:
    """Opens one view and writes its picture."""
    page = browser.new_page(viewport={"width": WIDTHS[suffix], "height": 1000})
    keys = "".join(f"&p.gradhealth.{k}={quote(v, safe='')}" for k, v in STATES[name].items())
    page.goto(f"{root}?darkMode={str(dark).lower()}#gradhealth{keys}")
    frame = page.frame_locator('iframe[src*="gradhealth"]')
    drawn = frame.locator(READY.get(name, '[data-testid="map"][aria-busy="false"] canvas')).first
    drawn.wait_for()
    if suffix:
        drawn.scroll_into_view_if_needed()
    page.wait_for_timeout(1_000)  # the curves arrive one by one
    theme = "dark" if dark else "light"
    page.screenshot(path=IMAGES / f"{name}-{theme}{suffix}.png")
    page.close()


def main() -> None:
    """Writes all pictures to docs/images."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="its program")
    options = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        train(Path(folder))
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        with tensorboard(Path(folder)) as server:
            server.wait_for_runs(*TRAINED)
            for name in STATES:
                for dark in (False, True):
                    shoot(browser, server.url, name, dark, "")
            for dark in (False, True):
                shoot(browser, server.url, "panel", dark, "-narrow")
        browser.close()


if __name__ == "__main__":
    main()
