"""How fast the server answers about large runs: `python -m benchmarks.backend [--quick]`.

A real TensorBoard serves runs of 1,000 layers, 16 signals and 1,500 points. Measured are what a
page asks for first (the overview), the same information through TensorBoard's own route for
scalars, how time and memory grow with layers, points, steps and runs, and twenty viewers while a
run grows. Cold is the first time that anybody asks, once TensorBoard itself has read the logs.
Trained in earnest are two workers, and a model of 10,000 variables.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from benchmarks.many_variables import measure_many_variables
from benchmarks.served import Page, anew, megabytes, memory, milliseconds, scalars, served
from benchmarks.trained import SIGNALS, Size, windows_of, written
from benchmarks.viewers import watch_a_growing_run
from benchmarks.workers import compare_workers
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.storage.writer import RunWriter

REPEATS = 7

PARTS = ("run", "scalars", "growth", "runs", "viewers", "workers", "variables")


def measure_one_run(folder: Path, size: Size) -> None:
    """Prints how long a page waits for each of its parts."""
    last = size.points - 1
    print(f"\n## One run: {size}, {megabytes(written(folder / 'run', size)):.0f} MB")
    with served(folder) as server:
        page = Page(server, "run")
        asked: dict[str, Callable[[], object]] = {
            "overview": page.overview,
            "findings": page.findings,
            "map": lambda: page.map(SIGNALS[0]),
            "map, half of the steps": lambda: page.map(SIGNALS[0], (0, last // 2)),
            "map, a tenth of the steps": lambda: page.map(SIGNALS[0], (0, last // 10)),
            "map, 300 points": lambda: page.map(SIGNALS[0], points=300),
            "map of another signal": lambda: page.map(SIGNALS[1]),
            "one layer": lambda: page.row(SIGNALS[0], 7),
        }
        print("\n| request | first | again | not modified |\n|---|---|---|---|")
        for name, act in asked.items():
            first = milliseconds(act)
            again = milliseconds(anew(page, act), REPEATS)
            unmodified = milliseconds(act, REPEATS)
            print(f"| {name} | {first:.0f} ms | {again:.1f} ms | {unmodified:.1f} ms |")
        print(f"\nmemory of TensorBoard: {memory(server):.0f} MB")


def compare_with_scalars(folder: Path, size: Size) -> None:
    """Prints the ratios to one scalar per layer and field, through the route of Time Series."""
    size = dataclasses.replace(size, layers=size.layers // 4, signals=1)  # theirs takes minutes
    ours = written(folder / "ours" / "run", size)
    theirs = write_scalars(folder / "scalars" / "run", ours)
    ratio = megabytes(theirs) / megabytes(ours)
    print(f"\n## One signal of {size.layers:,} layers x {size.points:,} points, beside scalars\n")
    print(f"disk: {megabytes(ours):.1f} MB, scalars {megabytes(theirs):.1f} MB: {ratio:.1f} x")
    with served(folder / "ours") as server:
        page = Page(server, "run")
        first = milliseconds(lambda: page.map(SIGNALS[0]))
        again = milliseconds(anew(page, lambda: page.map(SIGNALS[0])), REPEATS)
    tags = [f"{SIGNALS[0]}/mean/dense_{layer}" for layer in range(size.layers)]
    with served(folder / "scalars", f"--samples_per_plugin=scalars={size.points}") as server:
        server.wait_for(
            lambda: len(scalars(server, tags[-1:])[0]) == size.points or None, seconds=600
        )
        theirs_ms = milliseconds(lambda: scalars(server, tags))
    print(f"first: {first:.0f} ms, scalars {theirs_ms:.0f} ms: {theirs_ms / first:.0f} x")
    print(f"again: {again:.0f} ms: {theirs_ms / again:.0f} x")


def write_scalars(log_dir: Path, ours: Path) -> Path:
    """Writes the same numbers with a tag per layer and field, as `tf.summary.scalar` does."""
    reader = RunReader(open_log_dir(ours), None, "", ".")
    series, fields = reader.series(SIGNALS[0]), reader.info().signals[SIGNALS[0]].fields
    writer = RunWriter(log_dir)  # for its file alone
    tags = [f"{SIGNALS[0]}/{f}/dense_{i}" for i in range(series.values.shape[1]) for f in fields]
    summary = summary_pb2.Summary(value=[scalar_pb(tag, 0.0).value[0] for tag in tags])
    for step, values in zip(series.steps.tolist(), series.values, strict=True):
        for item, value in zip(summary.value, values.ravel().tolist(), strict=True):
            item.tensor.float_val[0] = value
        writer._write(event_pb2.Event(step=step, summary=summary))
    writer.close()
    return log_dir


def measure_growth(folder: Path, size: Size) -> None:
    """Prints time and memory of an overview against layers, points, steps and runs."""
    shares = (0.25, 0.5, 1.0)
    layers = [int(size.layers * share) for share in shares]
    points = [int(size.points * share) for share in shares]
    print("\n## Growth\n\n| run | first | again | memory |\n|---|---|---|---|")
    grow("layers", folder, layers, lambda n: (dataclasses.replace(size, layers=n), None))
    grow("points", folder, points, lambda n: (dataclasses.replace(size, points=n), None))
    few = dataclasses.replace(size, layers=size.layers // 10)
    grow("steps", folder, [10**5, 2 * 10**6, 10**8], lambda n: (few, windows_of(n)))
    measure_runs(folder, few)


def grow(
    what: str,
    folder: Path,
    numbers: list[int],
    run_of: Callable[[int], tuple[Size, Iterable[int] | None]],
) -> None:
    """Prints a line for each number, and the slope of the line through them."""
    found = []
    for number in numbers:
        log_dir = folder / f"{what} {number}"
        written(log_dir / "run", *run_of(number))
        with served(log_dir) as server:
            page, empty = Page(server, "run"), memory(server)
            first = milliseconds(page.overview)
            again = milliseconds(anew(page, page.overview), REPEATS)
            used = memory(server) - empty
        shutil.rmtree(log_dir)
        found.append((first, again, used))
        print(f"| {number:,} {what} | {first:.0f} ms | {again:.1f} ms | {used:.0f} MB |")
    for name, unit, values in zip(("first", "memory"), ("ms", "MB"), (0, 2), strict=True):
        column = [item[values] for item in found]
        slope, _ = np.polyfit(numbers, column, 1)
        fit = np.corrcoef(numbers, column)[0, 1] ** 2
        print(f"| {name}: {1e3 * slope:.3g} {unit} per 1,000 {what}, r2 {fit:.2f} | | | |")


def measure_runs(folder: Path, size: Size) -> None:
    """Prints how the list of runs grows, and that memory stays within its limit."""
    log_dir = written(folder / "runs" / "run_0", size).parent
    for count in (1, 50):
        for index in range(1, count):
            shutil.copytree(log_dir / "run_0", log_dir / f"run_{index}", dirs_exist_ok=True)
        with served(log_dir, "--gradhealth_cache_mb=100") as server:
            pages, empty = [Page(server, f"run_{index}") for index in range(count)], memory(server)
            first = milliseconds(functools.partial(pages[0].get, "runs"))
            for page in pages:
                page.overview()
                for signal in SIGNALS[: size.signals]:
                    page.map(signal)
            again = milliseconds(functools.partial(pages[0].get, "runs"), REPEATS)
            used = memory(server) - empty
        print(f"| {count} runs, all looked at, 100 MB allowed: list of them ", end="")
        print(f"| {first:.0f} ms | {again:.1f} ms | {used:.0f} MB |")


def measure_many_large_runs(folder: Path, size: Size, count: int = 50) -> None:
    """Prints what a page of many large runs takes; they share the disk space of one."""
    first = written(folder / "run_0", size)
    for index in range(1, count):
        (folder / f"run_{index}").mkdir()
        for path in first.glob("*tfevents*"):
            os.link(path, folder / f"run_{index}" / path.name)
    print(f"\n## {count} runs of {size}\n\n| request | first | again | memory |")
    print("|---|---|---|---|")
    with served(folder) as server:
        page, before = Page(server, f"run_{count // 2}"), memory(server)
        print(f"| | | | {before:.0f} MB |")
        asked: dict[str, Callable[[], object]] = {
            "list": functools.partial(page.get, "runs"),
            "overview": page.overview,
        }
        for name, act in asked.items():
            cold = milliseconds(act)
            again = milliseconds(anew(page, act), REPEATS)
            print(f"| {name} | {cold:.0f} ms | {again:.1f} ms | {memory(server):.0f} MB |")


def main() -> None:
    """Runs all of it and prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    size = Size(100, 150) if options.quick else Size()
    seconds, variables = (6, 100) if options.quick else (60, 10_000)
    parts: dict[str, Callable[[Path], None]] = {
        "run": lambda folder: measure_one_run(folder, size),
        "scalars": lambda folder: compare_with_scalars(folder, size),
        "growth": lambda folder: measure_growth(folder, size),
        "runs": lambda folder: measure_many_large_runs(folder, size),
        "viewers": lambda folder: watch_a_growing_run(folder, size, seconds),
        "workers": compare_workers,
        "variables": lambda folder: measure_many_variables(folder, variables),
    }
    for name in PARTS if options.only is None else [options.only]:
        with tempfile.TemporaryDirectory() as folder:
            parts[name](Path(folder))


if __name__ == "__main__":
    main()
