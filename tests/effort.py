"""How hard the tests try that could try forever: in earnest only in `make trust`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

ONE_THREAD = "TF_NUM_INTRAOP_THREADS"
"""Tests run side by side, one per core: the threads of each would only wait for the others'."""

THOROUGH = os.environ.get("GRADHEALTH_TRUST") == "1"


def effort(usual: int, thorough: int) -> int:
    """Returns how often to try."""
    return thorough if THOROUGH else usual


def examples(usual: int, thorough: int) -> settings:
    """Decorates a property test: so many examples, the same ones each time in `make test`."""
    return settings(
        max_examples=effort(usual, thorough),
        derandomize=not THOROUGH,
        database=None,
        deadline=None,  # the machine may be busy
        suppress_health_check=list(HealthCheck),
    )


def of_users() -> dict[str, str]:
    """Returns the environment as users have it, with as many threads as there are cores."""
    return {name: value for name, value in os.environ.items() if name != ONE_THREAD}
