"""What is said of a kernel that began badly, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.types import Evidence, Fix

_BOUNDED = ("tanh", "sigmoid", "softsign")


def starts(names: Sequence[str]) -> str:
    """The verb that belongs to that many kernels."""
    return "starts" if len(names) == 1 else "start"


def size_evidence(view: View, name: str, size: float, limit: str) -> Evidence:
    """The size of a kernel (1 for He initial weights) against one of the rule's limits."""
    label = "rms of the kernel / sqrt(2 / inputs)"
    return Evidence(label, size, view.limits[limit], "", "initial_weights", row=name)


def scaling_fixes(view: View, name: str) -> tuple[Fix, ...]:
    """Advises weights that suit the kernel, or a normalisation that makes up for them."""
    return (
        Fix("Let the initializer scale with the number of inputs.", layer_code(view, name)),
        Fix("Or normalise what the layer gives.", "keras.layers.LayerNormalization()"),
    )


def layer_code(view: View, name: str) -> str:
    """The layer of a kernel with the initial weights that suit its activation."""
    rows = view.rows("saturated_fraction") if view.has("saturated_fraction") else ()
    layer = next(row.layer for row in view.rows("initial_weights") if row.name == name)
    function = next((row.function for row in rows if row.layer == layer), "")
    if name.endswith("recurrent_kernel"):
        kind = next((k for k in ("LSTM", "GRU") if k.lower() in name.lower()), "SimpleRNN")
        return f'keras.layers.{kind}(units, recurrent_initializer="orthogonal")'
    function, initial = (
        (function, "glorot_uniform") if function in _BOUNDED else ("relu", "he_normal")
    )
    return f'keras.layers.Dense(units, activation="{function}", kernel_initializer="{initial}")'
