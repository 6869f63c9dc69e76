"""Which rows of a signal a report has room for."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.report.measured import Signal
from tensorboard_gradhealth.types import Finding

MOST_ROWS = 48
"""A page high, and enough for most networks; a large one is for the tab."""


def concerned(signal: Signal, findings: list[Finding]) -> list[int]:
    """Returns the numbers of the rows that findings name, by themselves or by their layer."""
    names = {name for finding in findings for name in finding.layers}
    names |= {item.row for finding in findings for item in finding.evidence}
    names.discard("")
    return [i for i, row in enumerate(signal.rows) if row.name in names or row.layer in names]


def chosen_rows(signal: Signal, findings: list[Finding], most: int = MOST_ROWS) -> list[int]:
    """Returns at most so many rows, in network order.

    Those of findings come before those with values that are not finite, and these before others,
    which are taken at even distances.
    """
    rows = len(signal.rows)
    if rows <= most:
        return list(range(rows))
    odd = ~np.isfinite(signal.series.values[:, :, 0]).all(axis=0)
    chosen = dict.fromkeys([*concerned(signal, findings), *np.flatnonzero(odd).tolist()])
    first = list(chosen)[:most]
    rest = [row for row in range(rows) if row not in chosen]
    left = most - len(first)
    even = [rest[i * len(rest) // left] for i in range(min(left, len(rest)))] if left else []
    return sorted({*first, *even})
