"""The plugin inside TensorBoard's own WSGI application, without a process or a socket."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from tensorboard.backend import application
from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging
from werkzeug.test import Client

from tensorboard_gradhealth.backend.loader import GradientHealthLoader
from tensorboard_gradhealth.storage.reader import open_log_dir

ROOT = "/data/plugin/gradhealth/"


class Complaints(logging.Handler):
    """What TensorBoard's security validator, and whoever else, writes into its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def __enter__(self) -> Complaints:
        tb_logging.get_logger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        tb_logging.get_logger().removeHandler(self)


def client(log_dir: Path) -> Client:
    """Returns a client of an application that shows a log directory."""
    provider: Any = open_log_dir(log_dir)
    flags = argparse.Namespace(logdir=str(log_dir), samples_per_plugin={})
    loader = GradientHealthLoader()
    loader.fix_flags(flags)
    plugin = loader.load(base_plugin.TBContext(data_provider=provider, flags=flags))
    return Client(application.TensorBoardWSGI([plugin], data_provider=provider))
