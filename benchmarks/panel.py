"""How fast the tab is, beside TensorBoard's own Time Series on the same data.

    python -m benchmarks.panel

Writes a run of 200 layers, 16 signals and 1,500 points twice, as this package does and as one
scalar tag per layer and signal, and one of 1,000 layers. A real TensorBoard serves them, a real
Chromium opens them: first useful paint (verdict, findings and map; for Time Series, the curves of
one signal of all layers), drawing the map again, and how a comparison of twenty runs responds.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright
from tensorboard.compat.proto import event_pb2, summary_pb2

from tensorboard_gradhealth.rules import replay
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Record, Row, RunInfo, SignalSpec
from tests.tensorboard_process import TensorBoard, tensorboard

SIGNALS = ("gradient_norm", "update_ratio", *(f"signal_{i}" for i in range(14)))
POINTS = 1_500
REPEATS = 5


def write_run(log_dir: Path, layers: int, signals: tuple[str, ...], points: int) -> None:
    """Writes a healthy run as training does, its findings included."""
    rows = tuple(
        Row(f"encoder/block_{i // 10}/dense_{i}/kernel", f"encoder/block_{i // 10}/dense_{i}")
        for i in range(layers)
    )
    specs = {name: SignalSpec(name, name, "", "variable", scale="log") for name in signals}
    specs["loss"] = SignalSpec("loss", "Loss", "loss", "run")
    info = RunInfo(rows={"variable": rows}, signals=specs)
    writer = RunWriter(log_dir)
    writer.write_info(info, 0)
    for step in range(points):
        values = {name: _values(layers, step, points) for name in signals}
        values["loss"] = np.full((1, 3), 2 - step / points, np.float32)
        writer.write_record(Record(step, step, values, step + 1))
    writer.flush()
    reader = RunReader(open_log_dir(log_dir), None, "", ".")
    writer.write_findings(*replay(info, reader.records(), origin="live"), points - 1)
    writer.close()


def write_scalars(log_dir: Path, layers: int, signals: tuple[str, ...], points: int) -> None:
    """Writes the means of the same data as `tf.summary.scalar` would: a tag per layer."""
    writer = RunWriter(log_dir)  # for its file alone
    for step in range(points):
        values = _values(layers, step, points)[:, 0]
        summary = summary_pb2.Summary()
        for name in signals:
            for layer, value in enumerate(values):
                summary.value.add(tag=f"{name}/dense_{layer}", simple_value=float(value))
        writer._write(event_pb2.Event(step=step, summary=summary))
    writer.close()


def _values(layers: int, step: int, points: int) -> np.ndarray:
    mean = np.exp(-np.linspace(0, 3, layers) - step / points + np.sin(step / 60)) / 100
    return np.stack([mean, 0.7 * mean, 1.5 * mean], 1).astype(np.float32)


def wait_for_scalars(server: TensorBoard, tag: str) -> None:
    """Waits until TensorBoard has read the last of the scalars, which it does in the background."""

    def last_step() -> int | None:
        answer = server.get("data/plugin/scalars/scalars", run="run", tag=tag)
        done = answer.status == 200 and answer.json[-1][1] == POINTS - 1
        return POINTS if done else None

    server.wait_for(last_step, seconds=600)


def seconds_until(page: Page, url: str, shown: Callable[[Page], None]) -> float:
    """Opens an address and waits until what matters is on screen."""
    page.goto("about:blank")
    started = time.perf_counter()
    page.goto(url, wait_until="commit")
    shown(page)
    return time.perf_counter() - started


def panel_shown(page: Page) -> None:
    """Verdict, list of findings and map are drawn; looked for as the curves of Time Series are.

    A locator would look again only after 50, 100, 100 and then every 500 ms.
    """
    page.wait_for_function(
        """() => {
          const tab = document.querySelector('iframe[src*="gradhealth"]')?.contentDocument;
          const parts = [
            '[data-testid="verdict"]',
            '.findings .card',
            '[data-testid="map"][aria-busy="false"] canvas',
          ];
          return parts.every((part) => tab?.querySelector(part)?.checkVisibility());
        }"""
    )


def curves_shown(page: Page) -> None:
    """Time Series has data in every card in view; it loads others as they are scrolled to."""
    page.wait_for_function(
        """() => {
          const seen = [...document.querySelectorAll('card-view')].filter((card) => {
            const { top, bottom } = card.getBoundingClientRect();
            return top < innerHeight && bottom > 0;
          });
          const drawn = (card) => card.querySelector('tb-data-table-content-row');
          return seen.length > 0 && seen.every(drawn);
        }"""
    )


REDRAW = """async () => {
  const map = () => document.querySelector('.map-scroll');
  const signals = () => [...document.querySelectorAll('input[name=map-signal]')];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const at = (type, share) => {
    const stage = document.querySelector('.map-stage').getBoundingClientRect();
    map().dispatchEvent(new PointerEvent(type, {
      bubbles: true, button: 0,
      clientX: stage.left + share * stage.width, clientY: stage.top + 40,
    }));
  };
  const acts = {
    hover: (i) => at('pointermove', ((7 * i) % 90) / 100 + 0.05),
    zoom: (i) => { at('pointerdown', 0.1 + i / 1000); at('pointerup', 0.8 - i / 1000); },
    'zoom out': () => map().dispatchEvent(new MouseEvent('dblclick', {bubbles: true})),
    'signal switch': (i) => signals()[i % signals().length].click(),
  };
  const times = Object.fromEntries(Object.keys(acts).map((name) => [name, []]));
  const blocked = [];
  new PerformanceObserver((list) => blocked.push(...list.getEntries().map((e) => e.duration)))
    .observe({type: 'longtask'});
  for (let i = 0; i < 20; i++) {
    for (const [name, act] of Object.entries(acts)) {
      await frame();
      const started = performance.now();
      act(i);
      await Promise.resolve();
      await new Promise((done) => setTimeout(done));
      document.body.offsetHeight;
      times[name].push(performance.now() - started);
      while (document.querySelector('[data-testid=map][aria-busy=true]')) await frame();
    }
  }
  return {times, blocked};
}"""


class Redraws(NamedTuple):
    """How long changes of the map take, in milliseconds.

    Attributes:
      times: Script and layout of each change, by its kind.
      blocked: All tasks over 50 ms, those included that draw a signal once it has come.
    """

    times: dict[str, list[float]]
    blocked: list[float]


def redraws(page: Page) -> Redraws:
    """Hovers, zooms and turns to other signals, again and again."""
    frame = next(frame for frame in page.frames if "plugin_entry" in frame.url)
    return Redraws(**frame.evaluate(REDRAW))


def respond_to_view(page: Page) -> float:
    """Seconds from a click on Compare until twenty runs lie over each other."""
    frame = page.frame_locator('iframe[src*="gradhealth"]')
    started = time.perf_counter()
    frame.locator('[data-testid="view-tab"][data-view="compare"]').click()
    frame.locator('[data-testid="compare-curves"] canvas').first.wait_for()
    return time.perf_counter() - started


def medians_of(*measures: Callable[[], float]) -> list[float]:
    """Measures again and again, by turns."""
    for measure in measures:
        measure()  # the first one fills caches of the server and the browser
    rounds = [[measure() for measure in measures] for _ in range(REPEATS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def compare_first_paint(browser: Browser, log_dir: Path) -> None:
    """Opens the same data in both tabs, in turns: what else the machine does slows down both."""
    write_run(log_dir / "ours" / "run", 200, SIGNALS, POINTS)
    write_scalars(log_dir / "scalars" / "run", 200, SIGNALS, POINTS)
    every_point = ("--samples_per_plugin", f"scalars={POINTS}")
    with tensorboard(log_dir / "ours") as tab, tensorboard(log_dir / "scalars", *every_point) as ts:
        tab.wait_for_runs("run")
        wait_for_scalars(ts, f"{SIGNALS[-1]}/dense_199")
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        ours, theirs = medians_of(
            lambda: seconds_until(page, f"{tab.url}#gradhealth&p.gradhealth.run=run", panel_shown),
            lambda: seconds_until(
                page, f"{ts.url}?tagFilter=gradient_norm#timeseries", curves_shown
            ),
        )
        page.close()
    print(f"first useful paint, 200 layers: {ours:.2f} s; Time Series {theirs:.2f} s")
    print(f"  ratio {ours / theirs:.2f}")


def measure_thousand_layers(browser: Browser, log_dir: Path) -> None:
    """Opens a large network, and draws its map again and again."""
    write_run(log_dir / "run", 1_000, SIGNALS[:4], POINTS)
    with tensorboard(log_dir) as server:
        server.wait_for_runs("run")
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        link = f"{server.url}#gradhealth&p.gradhealth.run=run"
        [paint] = medians_of(lambda: seconds_until(page, link, panel_shown))
        times, blocked = redraws(page)
        page.close()
    print(f"first useful paint, 1,000 layers: {paint:.2f} s")
    times["all"] = [one for taken in times.values() for one in taken]
    for name, taken in times.items():
        worst = sorted(taken)[int(0.95 * len(taken))]
        print(f"  {name}: median {statistics.median(taken):.1f} ms, 95 % within {worst:.1f} ms")
    print(f"  tasks over 50 ms: {len(blocked)}, the longest {max(blocked, default=0):.0f} ms")


def measure_twenty_runs(browser: Browser, log_dir: Path) -> None:
    """Opens a sweep, and lays its runs over each other."""
    names = [f"run_{index}" for index in range(20)]
    write_run(log_dir / names[0], 20, SIGNALS[:2], POINTS)
    for name in names[1:]:
        shutil.copytree(log_dir / names[0], log_dir / name)
    with tensorboard(log_dir) as server:
        server.wait_for_runs(*names)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        picked = "%0A".join(names[1:])
        link = f"{server.url}#gradhealth&p.gradhealth.run=run_0&p.gradhealth.compare={picked}"
        [paint] = medians_of(lambda: seconds_until(page, link, panel_shown))
        page.wait_for_timeout(2_000)
        print(f"twenty runs: paint {paint:.2f} s, comparison after {respond_to_view(page):.2f} s")
        page.close()


def main() -> None:
    """Runs all of it and prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="its program")
    options = parser.parse_args()
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=flags)
        compare_first_paint(browser, Path(folder, "paint"))
        measure_thousand_layers(browser, Path(folder, "thousand"))
        measure_twenty_runs(browser, Path(folder, "twenty"))
        browser.close()


if __name__ == "__main__":
    main()
