"""Writes through the default writer of `tf.summary`, and keeps what belongs to that writer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tensorboard.compat.proto import summary_pb2

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals import all_signals
from tensorboard_gradhealth.storage import codec, metadata
from tensorboard_gradhealth.storage.plugin_data_pb2 import PluginData
from tensorboard_gradhealth.types import FOLDED, NOT_MEASURED, Axis, Row, RunInfo

Tensor = Any


@dataclasses.dataclass
class Log:
    """What was written through one writer: descriptions, and statistics that go on."""

    rows: dict[Axis, tuple[Row, ...]] = dataclasses.field(default_factory=dict)
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    not_measured: dict[str, str] = dataclasses.field(default_factory=dict)
    memory: dict[str, Any] = dataclasses.field(default_factory=dict)

    def remembered(self, name: str, shape: Sequence[int]) -> Any:
        """Returns the float32 variable of this name, zero at first."""
        if name not in self.memory:
            from tensorboard_gradhealth.training.device.state import state_variable

            self.memory[name] = state_variable(np.zeros(shape, np.float32), "memory")
        return self.memory[name]


def if_recording(write: Callable[[Log], Tensor]) -> Tensor:
    """Runs `write` in steps that are recorded, so that the others cost nothing.

    Returns:
      bool `[]`: what `write` returned, or false.
    """
    log = _active_log()
    if log is None:
        return tf.constant(False)
    should = tf.convert_to_tensor(tf.summary.should_record_summaries())
    known = tf.get_static_value(should)
    if known is not None:
        return write(log) if known else tf.constant(False)
    return tf.cond(should, lambda: write(log), lambda: tf.constant(False))


def describe(log: Log, axis: Axis, rows: Sequence[Row]) -> None:
    """Writes names and signal descriptions, once per writer, at trace time inside `tf.function`.

    Raises:
      ValueError: The writer has described other rows before.
    """
    known = log.rows.get(axis)
    if known == tuple(rows):
        return
    if known is not None:
        raise ValueError(
            f"One writer logs one list of {axis}s. It has logged "
            f"{_names(known)} before and was now given {_names(rows)}. "
            "Hand in all of them in every call and in the same order."
        )
    log.rows[axis] = tuple(rows)
    _write_info(log, {axis: tuple(rows)})


def tell(log: Log, facts: Mapping[str, Any], not_measured: Mapping[str, str]) -> None:
    """Writes facts of the run, and why signals were not measured, where they changed."""
    if (log.facts, log.not_measured) != (facts, not_measured):
        log.facts, log.not_measured = dict(facts), dict(not_measured)
        _write_info(log, {})


def _write_info(log: Log, rows: Mapping[Axis, tuple[Row, ...]]) -> None:
    specs = {signal.spec.name: signal.spec for signal in all_signals()}
    values = codec.info_values(RunInfo(rows, specs, log.facts, log.not_measured))
    with tf.init_scope(), tf.summary.record_if(True):
        summary = summary_pb2.Summary(value=values).SerializeToString()
        tf.summary.experimental.write_raw_pb(summary, step=0)


def write_folded(signal: str, values: Tensor, step: Any) -> Tensor:
    """Writes float32 `[rows]` as a window of one step."""
    folded = tf.repeat(values[:, tf.newaxis], len(FOLDED), axis=1)
    return write(signal, folded, step)


def write(signal: str, values: Tensor, step: Any) -> Tensor:
    """Writes float32 `[rows, fields]`."""
    meta = metadata.create_summary_metadata(PluginData.SIGNAL)
    return tf.summary.write(metadata.signal_tag(signal), values, step=step, metadata=meta)


def spread(values: Tensor, present: Sequence[int], rows: int) -> Tensor:
    """Returns float32 `[rows]` with `values` at the positions `present`, the rest not measured."""
    everywhere = tf.fill([rows], NOT_MEASURED)
    at = tf.constant(present, tf.int32)[:, tf.newaxis]
    return tf.tensor_scatter_nd_update(everywhere, at, tf.cast(values, tf.float32))


def _active_log() -> Log | None:
    # There is no public name for the writer that is active (docs/adr/0003).
    from tensorflow.python.ops import summary_ops_v2

    writer = summary_ops_v2._summary_state.writer
    if writer is None:
        return None
    if not hasattr(writer, "_gradhealth"):
        writer._gradhealth = Log()
    log: Log = writer._gradhealth
    return log


def _names(rows: Sequence[Row]) -> str:
    names = ", ".join(repr(row.name) for row in rows[:3])
    return f"{len(rows)} ({names}{', ...' if len(rows) > 3 else ''})"
