"""Checks what people pass to a monitor, before there is anything to undo."""

from __future__ import annotations

import os
from typing import Any


def at_least(name: str, value: Any, least: int) -> int:
    """Returns `value`, a whole number that is not below `least`.

    Raises:
      ValueError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r} is not accepted: give a whole number >= {least}.")
    return value


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
