"""What TensorBoard imports at start-up.

TensorBoard loads the entry points of all plugins without a safety net, so this module imports
nothing that could be missing or slow; the plugin itself is imported in `load`, where a failure
costs this plugin only.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from typing import TYPE_CHECKING, Any

from tensorboard.plugins import base_plugin

if TYPE_CHECKING:
    from tensorboard_gradhealth.backend.judging import RuleSheet

PLUGIN_NAME = "gradhealth"

DEFAULT_SAMPLES = 5000
"""Points kept per signal. TensorBoard's own default for a plugin that it does not know is 100 or
10, which would hide most of a run; a run of Gradient Health bounds its own length below this."""

DEFAULT_CACHE_MB = 512

_LOG_DIR = "gradhealth_log_dir"
"""Where `fix_flags` leaves the log directory for `load`, if the plugin is to read it itself."""


class GradientHealthLoader(base_plugin.TBLoader):
    """Decides who reads the logs, and loads the plugin.

    The plugin reads a log directory on this machine itself: all points, those that are new alone,
    and in the memory that it is allowed. TensorBoard, which would hold every run whole, is told to
    keep one point of each signal, by which it knows the runs. A remote log directory, and one that
    the user wants sampled, TensorBoard reads.
    """

    def define_flags(self, parser: argparse.ArgumentParser) -> None:
        """Adds `--gradhealth_samples` and `--gradhealth_cache_mb`."""
        group = parser.add_argument_group("Gradient Health plugin")
        group.add_argument(
            "--gradhealth_samples",
            metavar="NUM",
            type=_whole_number,
            help="Have TensorBoard read the logs and keep so many points in memory per signal and "
            f"run; 0 keeps all. `--samples_per_plugin {PLUGIN_NAME}=NUM` means the same and wins. "
            "(default: all points are read from the files when they are looked at; of a remote "
            f"log directory TensorBoard keeps {DEFAULT_SAMPLES})",
        )
        group.add_argument(
            "--gradhealth_cache_mb",
            metavar="NUM",
            type=_whole_number,
            default=DEFAULT_CACHE_MB,
            help="How many megabytes of memory to use for what was read and computed; what was "
            "not looked at for longest is dropped. (default: %(default)s)",
        )

    def fix_flags(self, flags: argparse.Namespace) -> None:
        """Sets how many points TensorBoard keeps for this plugin, unless the user has.

        A programmatic start may bypass the parser and put anything into the flags; what is not
        understood here is left for TensorBoard to judge.
        """
        chosen = getattr(flags, "samples_per_plugin", None)
        if not isinstance(chosen, dict) or PLUGIN_NAME in chosen:
            return
        samples = getattr(flags, "gradhealth_samples", None)
        log_dir = _local_log_dir(flags) if samples is None else None
        if log_dir is not None:
            setattr(flags, _LOG_DIR, log_dir)
            samples = 1
        samples = DEFAULT_SAMPLES if samples is None else samples
        flags.samples_per_plugin = {**chosen, PLUGIN_NAME: samples}

    def load(self, context: base_plugin.TBContext) -> Any:
        """Returns the plugin, which judges runs without stored findings by this package's rules."""
        from tensorboard_gradhealth.backend.plugin import GradientHealthPlugin
        from tensorboard_gradhealth.backend.runs import Runs
        from tensorboard_gradhealth.rules import Engine
        from tensorboard_gradhealth.storage.local import LocalProvider
        from tensorboard_gradhealth.storage.memory import Memory

        megabytes = getattr(context.flags, "gradhealth_cache_mb", DEFAULT_CACHE_MB)
        log_dir = getattr(context.flags, _LOG_DIR, None)
        memory = Memory(megabytes * 2**20)
        local = None if log_dir is None else LocalProvider(log_dir, memory)
        judge = functools.partial(Engine, origin="replay")
        runs = Runs(context.data_provider, judge, memory=memory, local=local)
        return GradientHealthPlugin(runs, memory, _rule_sheets())


def _local_log_dir(flags: argparse.Namespace) -> str | None:
    """Returns the log directory that TensorBoard was given, if it is one on this machine."""
    log_dir: str = getattr(flags, "logdir", None) or ""
    elsewhere = getattr(flags, "grpc_data_provider", None)
    return None if not log_dir or elsewhere or "://" in log_dir else os.path.expanduser(log_dir)


def _rule_sheets() -> list[RuleSheet]:
    """Describes the rules for those who look at them: their docstrings are their pages."""
    from tensorboard_gradhealth.backend.judging import RuleSheet
    from tensorboard_gradhealth.rules import RULES

    return [
        RuleSheet(
            rule=rule.name,
            code=rule.code,
            group=rule.group,
            summary=(sys.modules[rule.check.__module__].__doc__ or "").partition("\n")[0],
            limits=dict(rule.limits),
            requires=rule.requires,
            url=rule.url,
        )
        for rule in RULES
    ]


def _whole_number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more.")
    return number
