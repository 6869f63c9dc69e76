"""Trains beside a live TensorBoard for hours, and says whether the memory of either grows."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.tensorboard_process import TensorBoard, tensorboard

SAMPLE_SECONDS = 5.0
WARM_UP = 1 / 3
"""Of the time: until then imports, caches and the log, whose length is bounded, still grow."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclasses.dataclass
class Memory:
    """Resident memory of one process and its children over time.

    Attributes:
      hours: When it was looked at, since the start.
      megabytes: How much it was.
    """

    hours: list[float] = dataclasses.field(default_factory=list)
    megabytes: list[float] = dataclasses.field(default_factory=list)

    def trend(self) -> tuple[float, float, float]:
        """Returns first and last level after the warm-up, and the slope in MB per hour."""
        start = int(len(self.hours) * WARM_UP)
        hours, levels = np.array(self.hours[start:]), np.array(self.megabytes[start:])
        slope = float(np.polyfit(hours, levels, 1)[0])
        part = max(1, len(levels) // 10)
        return float(levels[:part].mean()), float(levels[-part:].mean()), slope


def train(log_dir: str, pause: float) -> None:
    """Trains until it is ended.

    Args:
      log_dir: Of the run.
      pause: Seconds between two steps.
    """
    import keras

    import tensorboard_gradhealth as gradhealth

    class Pause(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            time.sleep(pause)

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(64, "relu") for _ in range(4)]
    model = keras.Sequential([keras.Input((32,)), *layers, keras.layers.Dense(4)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-2), loss)
    x = np.random.default_rng(0).normal(size=(3200, 32)).astype(np.float32)
    data = (x, x[:, :4].argmax(axis=1))
    callback = gradhealth.HealthCallback(log_dir, preset="full", verbose=0)
    callbacks = [callback, Pause()]
    model.fit(*data, epochs=10**9, verbose=0, callbacks=callbacks, validation_data=data)


def soak(hours: float, pause: float = 0.05) -> str:
    """Trains for so long, looks at the panel all the while, and returns what was seen."""
    with tempfile.TemporaryDirectory() as log_dir, tensorboard(Path(log_dir)) as server:
        viewers = set(_children(os.getpid()))
        training = multiprocessing.get_context("spawn").Process(
            target=train, args=(os.path.join(log_dir, "soak"), pause), daemon=True
        )
        training.start()
        assert training.pid is not None
        watched = {"training": [training.pid], "TensorBoard": sorted(viewers)}
        memory = {name: Memory() for name in watched}
        last_step, unanswered = -1, 0
        try:
            for hour in _until(hours):
                for name, processes in watched.items():
                    memory[name].hours.append(hour)
                    memory[name].megabytes.append(sum(map(_megabytes, processes)))
                if not training.is_alive():
                    raise RuntimeError("The training of the soak ended by itself.")
                try:
                    last_step = _look(server)
                except TimeoutError:  # the machine may have slept; an end of the server is not this
                    unanswered += 1
        finally:
            training.kill()
            training.join()
    lines = [
        f"soak: {hours * 60:.0f} minutes, {last_step + 1} steps, {unanswered} looks unanswered"
    ]
    for name, seen in memory.items():
        first, last, slope = seen.trend()
        lines.append(f"  {name}: {first:.0f} MB, then {last:.0f} MB ({slope:+.1f} MB per hour)")
    return "\n".join(lines)


def _until(hours: float) -> Iterator[float]:
    start = time.monotonic()
    while (passed := (time.monotonic() - start) / 3600) < hours:
        yield passed
        time.sleep(SAMPLE_SECONDS)


def _look(server: TensorBoard) -> int:
    """Does what an open panel does; returns the last step that it shows."""
    runs = server.plugin("runs").json["runs"]
    for item in runs:
        run = server.run(item["run"])
        for signal in run["signals"]:
            if signal["kept"]:
                server.series(item["run"], signal["name"], points="400")
    return max((int(item["last_step"]) for item in runs), default=-1)


def _megabytes(process: int) -> float:
    """Returns the resident memory of a process and its children."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * _PAGE / 1e6 + sum(map(_megabytes, _children(process)))


def _children(process: int) -> list[int]:
    return [
        int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]
