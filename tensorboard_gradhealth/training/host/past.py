"""What a log already holds when a training goes on in it: its past, up to the checkpoint."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.storage.reader import RunReader, list_runs, open_log_dir
from tensorboard_gradhealth.storage.tags import explaining
from tensorboard_gradhealth.types import Axis, Record, RunInfo

Array = npt.NDArray[np.float32]

_LAYOUT_AXES: tuple[Axis, ...] = ("variable", "activation")


@dataclasses.dataclass(frozen=True)
class Past:
    """The part of a log that still holds.

    Attributes:
      info: What was known of the run.
      records: Its records, in step order.
      flights: How many flights it holds.
    """

    info: RunInfo = dataclasses.field(default_factory=RunInfo)
    records: Sequence[Record] = ()
    flights: int = 0

    @property
    def first_nonfinite_step(self) -> int:
        """First step that was not finite; -1 if all were."""
        return self.records[-1].first_nonfinite_step if self.records else -1

    def comparable(self, info: RunInfo) -> Iterator[Record]:
        """Yields the records as far as their signals mean the same in `info`; none elsewise."""
        if any(self.info.rows.get(axis) != info.rows.get(axis) for axis in _LAYOUT_AXES):
            return
        shared = self.info.signals.keys() & info.signals.keys()
        same = {n for n in shared if self.info.signals[n].fields == info.signals[n].fields}
        for record in self.records:
            signals = {name: values for name, values in record.signals.items() if name in same}
            yield dataclasses.replace(record, signals=signals)

    def last(self, signal: str) -> Array | None:
        """Returns what was last written of a signal, float32 `[rows, fields]`, if anything was."""
        found = (r.signals[signal] for r in reversed(self.records) if signal in r.signals)
        return next(found, None)


def read_past(log_dir: str | os.PathLike[str], first_step: int) -> Past:
    """Reads what a log holds of the steps before `first_step`; nothing where there is no log.

    Raises:
      UnreadableRun: The log is damaged or of a later version.
    """
    if not first_step:
        return Past()
    with explaining("the log so far"):
        if not holds_run(log_dir):
            return Past()
        reader = RunReader(open_log_dir(log_dir), None, "", ".")
        records = [record for record in reader.records() if record.step < first_step]
        flights = [flight for flight in reader.flights() if flight.last_step < first_step]
        return Past(reader.info(), records, len(flights))


def holds_run(log_dir: str | os.PathLike[str]) -> bool:
    """Whether a log has anything of a training in it."""
    return "." in list_runs(open_log_dir(log_dir), None, "")


def join(before: Array, after: Array, fields: Sequence[str]) -> Array:
    """Joins running statistics of two stretches of a run, as if they had been taken in one.

    Args:
      before: float32 `[rows, fields]`.
      after: float32 `[rows, fields]`.
      fields: `count`, and any of `nonfinite`, `mean` with `std`, and `min` with `max`.
    """
    a = dict(zip(fields, before.T.astype(np.float64), strict=True))
    b = dict(zip(fields, after.T.astype(np.float64), strict=True))
    total = np.maximum(a["count"] + b["count"], 1)  # 0 / 1 where nothing was counted
    joined: dict[str, npt.NDArray[np.float64]]
    joined = {name: a[name] + b[name] for name in ("count", "nonfinite") if name in a}
    if "mean" in a:
        shift = b["mean"] - a["mean"]
        squares = a["std"] ** 2 * a["count"] + b["std"] ** 2 * b["count"]
        squares += shift**2 * a["count"] * b["count"] / total
        joined["mean"] = a["mean"] + shift * b["count"] / total
        joined["std"] = np.sqrt(squares / total)
        for name, choose in (("min", np.minimum), ("max", np.maximum)):
            both = np.where(b["count"] > 0, choose(a[name], b[name]), a[name])
            joined[name] = np.where(a["count"] > 0, both, b[name])
    return np.stack([joined[name] for name in fields], axis=1).astype(np.float32)
