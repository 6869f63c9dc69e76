"""Event files on this machine, and on remote ones where TensorFlow is imported already."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any


def is_directory(path: str) -> bool:
    """Whether there is such a directory."""
    remote = _remote(path)
    return bool(remote.isdir(path)) if remote else os.path.isdir(path)


def is_remote(path: str) -> bool:
    """Whether the path is one of TensorFlow's remote file systems."""
    return _remote(path) is not None


def run_directories(log_dir: str) -> Iterator[tuple[str, str]]:
    """Yields name and path of each directory with event files, named as TensorBoard names runs.

    That is the path below the log directory, and `.` for the directory itself.
    """
    remote = _remote(log_dir)
    for directory, _, names in remote.walk(log_dir) if remote else os.walk(log_dir):
        if any(_is_event_file(name) for name in names):
            yield os.path.relpath(directory, log_dir), directory


def event_files(directory: str) -> dict[str, int]:
    """Returns the sizes of the event files of a directory by path, in the order of their names.

    A directory that is gone, or that cannot be listed, has none.
    """
    remote = _remote(directory)
    try:
        if remote:
            paths = [os.path.join(directory, name) for name in remote.listdir(directory)]
            sizes = {path: int(remote.stat(path).length) for path in paths if _is_event_file(path)}
        else:
            with os.scandir(directory) as entries:
                sizes = {e.path: e.stat().st_size for e in entries if _is_event_file(e.path)}
    except OSError:
        return {}
    return dict(sorted(sizes.items()))


def open_file(path: str, buffering: int = -1) -> Any:
    """Opens a file for reading bytes; `buffering`, as of `open`, is for files on this machine."""
    remote = _remote(path)
    return remote.GFile(path, "rb") if remote else open(path, "rb", buffering=buffering)


def _is_event_file(path: str) -> bool:
    return "tfevents" in os.path.basename(path)


def _remote(path: str) -> Any:
    """Returns TensorFlow's file systems for a path that is not of this machine, else None."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow.io.gfile if tensorflow is not None and "://" in path else None
