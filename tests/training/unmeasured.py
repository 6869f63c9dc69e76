"""What a run says that it could not measure."""

from __future__ import annotations

from collections.abc import Mapping


def unmeasured(reports: Mapping[str, str]) -> dict[str, str]:
    """Returns reasons by name, without what steps or losses of somebody's own cannot tell."""
    known = ("has a train_step of its own", "does not call `compute_loss`", "one tensor of labels")
    return {n: reason for n, reason in reports.items() if not any(k in reason for k in known)}
