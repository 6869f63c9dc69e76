"""Runs as a training of a large network would write them, made up."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf  # noqa: F401  (where it is imported, checksums are computed in C++)

from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.training.host.windows import WindowFolder
from tensorboard_gradhealth.types import Record, Row, RuleState, RunInfo, SignalSpec
from tests.logs import finding

SIGNALS = ("gradient_norm", "update_ratio", *(f"signal_{i}" for i in range(14)))


@dataclasses.dataclass(frozen=True)
class Size:
    """Of a run."""

    layers: int = 1_000
    points: int = 1_500
    signals: int = 16

    def __str__(self) -> str:
        return f"{self.layers:,} layers x {self.signals} signals x {self.points:,} points"


class Training:
    """Writes a run record by record."""

    def __init__(self, log_dir: Path, size: Size) -> None:
        self._names, self._layers = SIGNALS[: size.signals], size.layers
        self._random = np.random.default_rng(0)
        self._written, self._step = 0, 0
        paths = [f"encoder/block_{i // 10}/dense_{i}" for i in range(size.layers)]
        rows = tuple(Row(f"{path}/kernel", path, "kernel") for path in paths)
        specs = {name: SignalSpec(name, name, "", "variable", scale="log") for name in self._names}
        specs["loss"] = SignalSpec("loss", "Loss", "loss", "run")
        self._writer = RunWriter(log_dir)
        self._writer.write_info(RunInfo(rows={"variable": rows}, signals=specs), 0)

    def write(self, windows: Iterable[int]) -> None:
        """Writes one record for each window, given its number of steps."""
        for steps in windows:
            noise = self._random.lognormal(-3, 0.3, (len(self._names), self._layers, 1))
            values = (noise * (1, 0.7, 1.5)).astype(np.float32)
            signals = dict(zip(self._names, values, strict=True))
            signals["loss"] = values[0, :1]
            first, last = self._step, self._step + steps - 1
            self._step, self._written = last + 1, self._written + 1
            self._writer.write_record(Record(last, first, signals, self._written))
        self._writer.flush()

    def judge(self) -> None:
        """Writes ten findings, as a training does when one of them changed."""
        layers = tuple(f"encoder/block_{i}/dense_{10 * i}/kernel" for i in range(20))
        findings = [finding(f"rule_{i}", layers=layers) for i in range(10)]
        states = [RuleState(f"rule_{i}", f"GH{i}", "clean") for i in range(22)]
        self._writer.write_findings(findings, states, self._step - 1)


def written(log_dir: Path, size: Size, windows: Iterable[int] | None = None) -> Path:
    """Writes a whole run, of single steps unless told otherwise."""
    training = Training(log_dir, size)
    training.write([1] * size.points if windows is None else windows)
    training.judge()
    return log_dir


def windows_of(steps: int, budget: int = 1_500) -> list[int]:
    """Returns the windows into which so many steps are folded."""
    folder = WindowFolder(1, budget)
    found: list[int] = []
    while sum(found) < steps:
        found.append(folder.length)
        folder.resume(1)
    return found
