"""Diagnoses over recorded signals: every module here without a leading underscore is one.

Needs NumPy only, so that a training process and TensorBoard's server can both judge a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tensorboard_gradhealth.rules._base import GROUPS, NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Case, case
from tensorboard_gradhealth.rules._catalogue import RULES
from tensorboard_gradhealth.rules._engine import Engine, Event, Origin
from tensorboard_gradhealth.rules._stories import stories
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.types import Finding, Record, RuleState, RunInfo

__all__ = [
    "GROUPS",
    "RULES",
    "Case",
    "Engine",
    "Event",
    "NotEvaluated",
    "Rule",
    "Sign",
    "View",
    "case",
    "replay",
    "stories",
]


def replay(
    info: RunInfo,
    records: Iterable[Record],
    *,
    ignore: Mapping[str, bool | str] | None = None,
    limits: Mapping[str, Mapping[str, float]] | None = None,
    origin: Origin = "replay",
) -> tuple[list[Finding], list[RuleState]]:
    """Judges a recorded run: the findings that it had live, if the records are all there.

    Args:
      info: What is known of the run.
      records: In the order of their steps.
      ignore: As for `Engine`.
      limits: As for `Engine`.
      origin: What to write into the findings.

    Returns:
      The findings, root causes first, and the state of every rule.

    Raises:
      ValueError: As for `Engine`.
    """
    engine = Engine(info, ignore=ignore, limits=limits, origin=origin)
    for record in records:
        engine.feed(record)
    return engine.findings, engine.states()
