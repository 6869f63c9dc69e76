"""What a run says that it could not measure."""

from __future__ import annotations

from collections.abc import Mapping


def unmeasured(reports: Mapping[str, str]) -> dict[str, str]:
    """Returns reasons by name, without that nobody knows the loss in a step of somebody's own."""
    own_step = "has a train_step of its own"
    return {name: reason for name, reason in reports.items() if own_step not in reason}
