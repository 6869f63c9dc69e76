"""What TensorBoard imports at start-up.

TensorBoard loads the entry points of all plugins without a safety net, so this module imports
nothing that could be missing or slow; the plugin itself is imported in `load`, where a failure
costs this plugin only.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tensorboard.plugins import base_plugin

if TYPE_CHECKING:
    from tensorboard_gradhealth.backend.judging import RuleSheet

PLUGIN_NAME = "gradhealth"

DEFAULT_SAMPLES = 5000
"""Points kept per signal. TensorBoard's own default for a plugin that it does not know is 100 or
10, which would hide most of a run; a run of Gradient Health bounds its own length below this."""


class GradientHealthLoader(base_plugin.TBLoader):
    """Makes TensorBoard keep enough points, and loads the plugin."""

    def define_flags(self, parser: argparse.ArgumentParser) -> None:
        """Adds `--gradhealth_samples`."""
        group = parser.add_argument_group("Gradient Health plugin")
        group.add_argument(
            "--gradhealth_samples",
            metavar="NUM",
            type=_sample_count,
            default=DEFAULT_SAMPLES,
            help=f"How many points to keep in memory per signal and run; 0 keeps all. "
            f"`--samples_per_plugin {PLUGIN_NAME}=NUM` means the same and wins. "
            f"(default: {DEFAULT_SAMPLES})",
        )

    def fix_flags(self, flags: argparse.Namespace) -> None:
        """Raises TensorBoard's sampling limit for this plugin, unless the user has set it.

        A programmatic start may bypass the parser and put anything into the flags; what is not
        understood here is left for TensorBoard to judge.
        """
        chosen = getattr(flags, "samples_per_plugin", None)
        if not isinstance(chosen, dict) or PLUGIN_NAME in chosen:
            return
        samples = getattr(flags, "gradhealth_samples", DEFAULT_SAMPLES)
        flags.samples_per_plugin = {**chosen, PLUGIN_NAME: samples}

    def load(self, context: base_plugin.TBContext) -> Any:
        """Returns the plugin, which judges runs without stored findings by this package's rules."""
        from tensorboard_gradhealth.backend.plugin import GradientHealthPlugin
        from tensorboard_gradhealth.rules import replay

        return GradientHealthPlugin(context, judge=replay, sheets=_rule_sheets())


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


def _sample_count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of points, 0 or more.")
    return count
