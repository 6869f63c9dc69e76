"""Many people who look at a run that is being trained."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

from benchmarks.served import Page, memory, milliseconds, served
from benchmarks.trained import Size, Training
from tests.tensorboard_process import TensorBoard

VIEWERS = 20
RELOAD_SECONDS = 5.0


def watch_a_growing_run(folder: Path, size: Size, seconds: int) -> None:
    """Prints how long viewers wait while a training writes one record a second."""
    training = Training(folder / "run", size)
    training.write([1] * size.points)
    training.judge()
    with served(folder) as server:
        times: list[float] = []
        failures: list[Exception] = []
        stop = threading.Event()
        viewers = [
            threading.Thread(target=_view, args=(server, index, stop, times, failures))
            for index in range(VIEWERS)
        ]
        for viewer in viewers:
            viewer.start()
        memories = []
        for _ in range(seconds):
            time.sleep(1)
            training.write([1])
            memories.append(memory(server))
        stop.set()
        for viewer in viewers:
            viewer.join()
    late = sorted(times)[int(0.95 * len(times))]
    print(f"\n## {VIEWERS} viewers of {size} for {seconds} s, a record a second\n")
    print(f"{len(times)} overviews, {len(failures)} failures {failures[:1] or ''}")
    print(f"median {statistics.median(times):.0f} ms, 95 % within {late:.0f} ms")
    _print_growth(memories)


def _print_growth(memories: list[float]) -> None:
    """Prints a reading of each second as quarters: what grows without end grows in the last."""
    quarters = [memories[len(memories) * i // 4 - (i > 0)] for i in range(5)]
    print("memory: " + ", ".join(f"{megabytes:.0f}" for megabytes in quarters) + " MB,")
    print(f"{quarters[4] - quarters[2]:+.1f} MB in the second half, ", end="")
    print(f"{quarters[4] - quarters[3]:+.1f} MB in the last quarter")


def _view(
    server: TensorBoard,
    index: int,
    stop: threading.Event,
    times: list[float],
    failures: list[Exception],
) -> None:
    """Looks at the overview every few seconds, as a page does that reloads by itself."""
    page = Page(server, "run")
    stop.wait(index * RELOAD_SECONDS / VIEWERS)
    while not stop.is_set():
        try:
            times.append(milliseconds(page.overview))
        except (OSError, RuntimeError) as failure:
            failures.append(failure)
        stop.wait(RELOAD_SECONDS)
