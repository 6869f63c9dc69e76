"""What variables and input features are called, and what a variable is, guessed from its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tensorboard_gradhealth.types import Row

MAX_FEATURES = 1024
"""An input with more features is described as a whole: one row instead of thousands."""

_ROLES = {
    "kernel": "kernel",
    "recurrent_kernel": "kernel",
    "depthwise_kernel": "kernel",
    "pointwise_kernel": "kernel",
    "bias": "bias",
    "embeddings": "embedding",
    "gamma": "norm",
    "beta": "norm",
}


def variable_role(path: str, rank: int) -> str:
    """Returns the role of a variable for `types.Row`: by its name, or by its rank."""
    leaf = path.rpartition("/")[2]
    return _ROLES.get(leaf) or ("kernel" if rank >= 2 else "other")


def variable_row(name: str, shape: Sequence[int]) -> Row:
    """Returns the row of a variable; its layer is what its name says before the last slash."""
    size = 1
    for length in shape:
        size *= length
    return Row(name, name.rpartition("/")[0], variable_role(name, len(shape)), size)


def feature_rows(name: str, shape: Sequence[int | None], role: str) -> list[Row]:
    """Returns a row for each entry of the last axis (feature, channel) of `[batch, ..., last]`."""
    last = shape[-1] if len(shape) > 1 else 1
    if last is None or last > MAX_FEATURES or last == 1:
        return [Row(name, role=role)]
    dots = ":" if len(shape) == 2 else "..."
    return [Row(f"{name}[{dots}, {i}]", role=role) for i in range(last)]


def unique(names: Iterable[str]) -> list[str]:
    """Numbers repeated names: `a`, `a#2`, `a#3`."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(numbered(name, seen[name]))
    return result


def numbered(name: str, nth: int) -> str:
    """Returns the name of the nth thing called `name`, counted from 1."""
    return name if nth == 1 else f"{name}#{nth}"
