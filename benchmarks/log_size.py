"""How large a log is, and how long the host takes to write it: `python -m benchmarks.log_size`.

The measurements are made up, as a network of 200 layers with 2 variables and 1 activation each
would deliver them with the standard preset; everything after the ring is what a training runs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tests.training.synthetic import Training

PARTS = 100
"""A training is simulated in so many parts, between which the time is taken."""


def train(log_dir: Path, layers: int, steps: int, at_once: int, spikes: bool) -> float:
    """Simulates a training and returns how long the session took, in seconds.

    Args:
      log_dir: Where its log goes.
      layers: Of the network.
      steps: To be taken.
      at_once: How many steps the session reads at once, at most.
      spikes: Whether a gradient is 1,000 in one step, and the loss NaN in another.
    """
    training = Training(log_dir, layers, capacity=2 * at_once)
    healthy = training.healthy(steps // PARTS)
    healthy *= np.random.default_rng(0).uniform(0.9, 1.1, healthy.shape).astype(np.float32)
    taken = 0.0
    for part in range(PARTS):
        rows = healthy.copy() if spikes and part in (40, 80) else healthy
        if spikes and part == 40:
            rows[len(rows) // 3, training.column("gradient_norm")] = 1000.0
        if spikes and part == 80:
            rows[len(rows) // 3, training.column("loss")] = np.nan
        started = time.perf_counter()
        training.take(rows, at_once)
        taken += time.perf_counter() - started
    training.session.finish()
    return taken


def read(log_dir: Path) -> tuple[RunReader, int]:
    """Returns a reader of the log and its size in bytes."""
    size = sum(path.stat().st_size for path in log_dir.iterdir())
    return RunReader(open_log_dir(log_dir), None, "", "."), size


def sizes(directory: Path) -> Iterator[str]:
    """Yields a line on the log of each network."""
    for layers, steps in ((200, 10_000), (200, 100_000), (4, 100_000)):
        log_dir = directory / f"{layers} {steps}"
        train(log_dir, layers, steps, at_once=64, spikes=False)
        run, size = read(log_dir)
        numbers = sum(run.series(signal).values.size for signal in run.info().signals)
        yield (
            f"| {layers} | {steps:,} | {run.kept} | {size / 1e6:.1f} | "
            f"{size / numbers:.2f} | {size / numbers / 4:.2f} |"
        )


def long_run(directory: Path) -> Iterator[str]:
    """Yields lines on what is left of a million steps."""
    taken = train(directory / "long", 1, 1_000_000, at_once=5_000, spikes=True)
    run, size = read(directory / "long")
    last = run.records()[-1]
    [flight] = run.flights()
    yield f"| records | {run.kept} |"
    yield f"| size | {size / 1e6:.1f} MB |"
    yield f"| largest gradient norm, 1,000 in one step | {_largest(run):g} |"
    yield f"| first non-finite step, NaN at 803,333 alone | {last.first_nonfinite_step:,} |"
    yield f"| single steps kept before it | {flight.first_step:,} to {flight.last_step:,} |"
    yield f"| time of the session | {taken:.1f} s |"


def speed(directory: Path) -> Iterator[str]:
    """Yields a line on the time per record for 100 variables and 50 activations."""
    for steps in (5_000, 50_000):
        log_dir = directory / f"speed {steps}"
        taken = train(log_dir, 50, steps, at_once=64, spikes=False)
        run, _ = read(log_dir)
        per_record, per_step = 1e3 * taken / run.kept, 1e6 * taken / steps
        yield f"| {steps:,} | {run.kept} | {per_record:.2f} | {per_step:.0f} |"


def _largest(run: RunReader) -> float:
    return float(np.nanmax(run.series("gradient_norm").values[:, :, 2]))


def main() -> None:
    """Prints the tables."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    tables = (
        (sizes, "| layers | steps | records | MB | bytes per number | of 4 bytes |", 6),
        (long_run, "| a million steps | |", 2),
        (speed, "| steps | records | ms per record | µs per step |", 4),
    )
    for lines, heading, columns in tables:
        print(heading, "|---" * columns + "|", sep="\n")
        with tempfile.TemporaryDirectory() as directory:
            for line in lines(Path(directory)):
                print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
