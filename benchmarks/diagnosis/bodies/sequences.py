"""Bodies over steps: recurrent, convolutional in time, and with attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import layers

from benchmarks.diagnosis.bodies._blocks import Positions, dense, through
from benchmarks.diagnosis.data import VOCABULARY
from benchmarks.diagnosis.setups import Setup


def recurrent(cell: type[Any]) -> Callable[[Any, Setup, int], Any]:
    """From the first step to the last, and a dense layer at the end."""

    def build(x: Any, setup: Setup, depth: int) -> Any:
        for number in range(1, depth + 1):
            options = {"return_sequences": number < depth, **setup.recurrent}
            x = cell(24, name=f"recurrent{number}", **options)(x)
        return dense(x, setup, 24, "hidden1")

    return build


def both_ways(cell: type[Any]) -> Callable[[Any, Setup, int], Any]:
    """Reads forwards and backwards, keeps what each step says and takes the mean."""

    def build(x: Any, setup: Setup, depth: int) -> Any:
        for number in range(1, depth + 1):
            layer = cell(16, return_sequences=True, **setup.recurrent)
            x = layers.Bidirectional(layer, name=f"recurrent{number}")(x)
        return dense(layers.GlobalAveragePooling1D(name="pool")(x), setup, 24, "hidden1")

    return build


def tcn(x: Any, setup: Setup, depth: int) -> Any:
    """Convolutions that see only the past, further back from layer to layer."""
    for number in range(1, depth + 1):
        layer = layers.Conv1D(
            24,
            3,
            padding="causal",
            dilation_rate=2 ** ((number - 1) % 4),
            activation=setup.activation,
            name=f"hidden{number}",
            **setup.hidden,
        )
        x = through(setup.after(), layer(x))
    return layers.GlobalAveragePooling1D(name="pool")(x)


def series_attention(x: Any, setup: Setup, depth: int) -> Any:
    """Attention between the steps of a series."""
    return _attention(layers.Dense(24, name="embed")(x), setup, depth)


def token_attention(x: Any, setup: Setup, depth: int) -> Any:
    """Attention between tokens."""
    return _attention(layers.Embedding(VOCABULARY, 24, name="embed")(x), setup, depth)


def patch_attention(x: Any, setup: Setup, depth: int) -> Any:
    """Attention between the patches of an image."""
    x = layers.Conv2D(24, 2, 2, name="embed")(x)
    return _attention(layers.Reshape((-1, 24), name="patches")(x), setup, depth)


def _attention(x: Any, setup: Setup, depth: int) -> Any:
    x = Positions(name="positions")(x)
    for number in range(1, depth + 1):
        normed = layers.LayerNormalization(name=f"norm{number}a")(x)
        attention = layers.MultiHeadAttention(2, 12, name=f"attention{number}")
        x = layers.Add(name=f"add{number}a")([x, attention(normed, normed)])
        branch = layers.LayerNormalization(name=f"norm{number}b")(x)
        branch = dense(branch, setup, 48, f"hidden{number}")
        branch = layers.Dense(24, name=f"down{number}")(branch)
        x = layers.Add(name=f"add{number}b")([x, branch])
    return layers.GlobalAveragePooling1D(name="pool")(layers.LayerNormalization(name="norm")(x))
