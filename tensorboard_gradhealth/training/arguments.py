"""Checks what people pass to a monitor, before there is anything to undo."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tensorboard_gradhealth.actions import Action, Call, OnFinding
from tensorboard_gradhealth.rules import Engine
from tensorboard_gradhealth.signals import named_signals, preset_signals
from tensorboard_gradhealth.signals._base import Signal
from tensorboard_gradhealth.training.host.row_groups import RowGroups
from tensorboard_gradhealth.training.host.windows import WindowFolder
from tensorboard_gradhealth.types import RunInfo


@dataclasses.dataclass(frozen=True)
class Options:
    """What `HealthCallback` and `HealthMonitor` can be told, checked.

    Attributes:
      signals: What to measure.
      layers: Searched for in the names of variables and activations; those without are left out.
      folder: Cuts steps into windows.
      engine: Arguments of `rules.Engine`.
      actions: What to do when findings open.
      groups: Which rows become one; `None` if none do.
    """

    signals: Sequence[Signal]
    layers: re.Pattern[str]
    folder: WindowFolder
    engine: Mapping[str, Any]
    actions: Sequence[Action]
    groups: RowGroups | None


@dataclasses.dataclass(frozen=True)
class Probing:
    """How the curvature of the loss is looked at.

    Attributes:
      data: The batch, `(x, y)` or `(x, y, sample_weight)`; that of the step, if `None`.
      batch_size: Examples to differentiate at a time; all of a batch, if `None`.
      max_share: Time of the probes / time of training.
    """

    data: Any = None
    batch_size: int | None = None
    max_share: float = 0.05


def probing(data: Any, batch_size: int | None, max_share: float) -> Probing:
    """Checks what was given.

    Raises:
      ValueError: An argument is not accepted; the message says what is.
    """
    if data is not None and not (isinstance(data, tuple) and len(data) in (2, 3)):
        raise ValueError(
            f"probe_data of type {type(data).__name__} is not accepted: give one batch as a tuple, "
            "(x, y) or (x, y, sample_weight)."
        )
    if batch_size is not None:
        at_least("probe_batch_size", batch_size, 1)
    if not 0.0 < number("max_share", max_share) <= 1.0:
        raise ValueError(f"max_share={max_share!r} is not accepted: give a share, 0.05 for 5 %.")
    return Probing(data, batch_size, float(max_share))


def options(
    *,
    preset: str,
    signals: Sequence[str] | None,
    layers: str | None,
    log_every: int | datetime.timedelta,
    budget: int,
    ignore: Mapping[str, bool | str] | None,
    limits: Mapping[str, Mapping[str, float]] | None,
    on_finding: Sequence[OnFinding],
    group_by: int | str | None,
) -> Options:
    """Checks what was given; `HealthCallback` says what it means.

    Raises:
      ValueError: An argument is not accepted; the message says what is.
    """
    engine = {"ignore": ignore, "limits": limits}
    Engine(RunInfo(), **engine)  # type: ignore[arg-type]  # refuses unknown names now, not later
    by = grouping(group_by)
    measured = preset_signals(preset) if signals is None else named_signals(signals)
    if by is not None and {signal.grouped for signal in measured} & {"ratio", "growth"}:
        sizes = named_signals(["weight_rms"])  # without which ratios cannot be combined
        measured = tuple(dict.fromkeys([*measured, *sizes]))
    return Options(
        measured,
        pattern("layers", layers),
        WindowFolder(_window("log_every", log_every), at_least("budget", budget, 100)),
        engine,
        actions(on_finding),
        None if by is None else RowGroups(by, measured),
    )


def grouping(group_by: Any) -> re.Pattern[str] | int | None:
    """Returns what rows are grouped by, if they are.

    Raises:
      ValueError: It is neither a depth nor a regular expression.
    """
    if group_by is None or isinstance(group_by, str):
        return None if group_by is None else pattern("group_by", group_by)
    if isinstance(group_by, bool) or not isinstance(group_by, int) or group_by < 1:
        raise ValueError(
            f"group_by={group_by!r} is not accepted: give how many components of a layer's path "
            'name its group, >= 1, or a regular expression, for example "encoder/block_[0-9]+".'
        )
    return group_by


def actions(given: Sequence[OnFinding]) -> tuple[Action, ...]:
    """Returns actions, and functions as actions.

    Raises:
      ValueError: It is no sequence of them.
    """
    if not (isinstance(given, (list, tuple)) and all(map(_acts, given))):
        raise ValueError(
            f"on_finding={given!r} is not accepted: give a list of actions, such as "
            "gradhealth.actions.StopTraining(), and of functions of a finding."
        )
    return tuple(each if isinstance(each, Action) else Call(each) for each in given)


def _acts(given: Any) -> bool:
    return isinstance(given, Action) or (callable(given) and not isinstance(given, type))


def pattern(name: str, value: Any) -> re.Pattern[str]:
    """Returns a regular expression; without one, that which is found in everything.

    Raises:
      ValueError: It is none.
    """
    try:
        return re.compile("" if value is None else value)
    except (re.error, TypeError) as error:
        raise ValueError(
            f"{name}={value!r} is not accepted: give a regular expression that is searched for in "
            f'the names of layers, for example "encoder/.*/dense" ({error}).'
        ) from error


def _window(name: str, value: Any) -> int | datetime.timedelta:
    if isinstance(value, datetime.timedelta) and value > datetime.timedelta():
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"{name}={value!r} is not accepted: give a whole number >= 1 of steps, or a time, for "
            "example datetime.timedelta(seconds=30)."
        )
    return value


def at_least(name: str, value: Any, least: int) -> int:
    """Returns `value`, a whole number that is not below `least`.

    Raises:
      ValueError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r} is not accepted: give a whole number >= {least}.")
    return value


def number(name: str, value: Any) -> float:
    """Returns `value`, one number or a tensor or array of one, as a float; it may be NaN.

    Raises:
      ValueError: It is something else.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}={value!r} is not accepted: give one number.") from error


def directory(log_dir: Any) -> str:
    """Returns the path of a log directory as a string.

    Raises:
      ValueError: It is empty or no path.
    """
    if not isinstance(log_dir, (str, os.PathLike)) or not os.fspath(log_dir):
        raise ValueError(
            f"log_dir={log_dir!r} is not accepted: give the directory that this run's log goes to, "
            'for example "logs/run1".'
        )
    return os.fspath(log_dir)
