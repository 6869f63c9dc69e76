"""What a variable is, guessed from how it is called and shaped."""

from __future__ import annotations

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
