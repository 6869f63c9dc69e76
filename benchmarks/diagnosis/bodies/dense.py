"""Bodies of dense layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import layers

from benchmarks.diagnosis.bodies._blocks import dense, through
from benchmarks.diagnosis.setups import Setup


def mlp(width: int) -> Callable[[Any, Setup, int], Any]:
    """One layer after the other, all equally wide."""

    def build(x: Any, setup: Setup, depth: int) -> Any:
        for number in range(1, depth + 1):
            x = dense(x, setup, width, f"hidden{number}")
        return x

    return build


def gated_mlp(x: Any, setup: Setup, depth: int) -> Any:
    """Each block is multiplied by a gate of its own, as in gated linear units."""
    for number in range(1, depth + 1):
        name = f"hidden{number}"
        gate = layers.Dense(48, activation="sigmoid", name=f"{name}_gate", **setup.hidden)(x)
        value = layers.Dense(48, activation=setup.activation, name=name, **setup.hidden)(x)
        x = through(setup.after(), layers.Multiply(name=f"{name}_gated")([value, gate]))
    return x


def two_towers(x: Any, setup: Setup, depth: int) -> Any:
    """Each half of the features has a tower of its own, which one layer brings together."""
    half = x.shape[-1] // 2
    towers = []
    for side, part in (("left", x[:, :half]), ("right", x[:, half:])):
        tower = part
        for number in range(1, depth + 1):
            tower = dense(tower, setup, 32, f"hidden{number}_{side}")
        towers.append(tower)
    return dense(layers.Concatenate(name="both")(towers), setup, 40, f"hidden{depth + 1}")


def residual_mlp(x: Any, setup: Setup, depth: int) -> Any:
    """Normalises before each block, whose output is added to its input."""
    x = layers.Dense(40, name="embed")(x)
    for number in range(1, depth + 1):
        branch = layers.LayerNormalization(name=f"norm{number}")(x)
        branch = dense(branch, setup, 80, f"hidden{number}")
        branch = layers.Dense(40, name=f"down{number}")(branch)
        x = layers.Add(name=f"add{number}")([x, branch])
    return layers.LayerNormalization(name="norm")(x)


def mixer(x: Any, setup: Setup, depth: int) -> Any:
    """Mixes between the patches of an image, then within them."""
    x = layers.Conv2D(24, 2, 2, name="embed")(x)
    x = layers.Reshape((-1, 24), name="patches")(x)
    for number in range(1, depth + 1):
        branch = layers.LayerNormalization(name=f"norm{number}a")(x)
        branch = layers.Permute((2, 1), name=f"turn{number}a")(branch)
        branch = dense(branch, setup, 32, f"hidden{number}a")
        branch = layers.Dense(x.shape[1], name=f"down{number}a")(branch)
        branch = layers.Permute((2, 1), name=f"turn{number}b")(branch)
        x = layers.Add(name=f"add{number}a")([x, branch])
        branch = layers.LayerNormalization(name=f"norm{number}b")(x)
        branch = dense(branch, setup, 48, f"hidden{number}b")
        branch = layers.Dense(24, name=f"down{number}b")(branch)
        x = layers.Add(name=f"add{number}b")([x, branch])
    return layers.GlobalAveragePooling1D(name="pool")(layers.LayerNormalization(name="norm")(x))


def autoencoder(x: Any, setup: Setup, depth: int) -> Any:
    """Through 16 units and back to 64 pixels."""
    for number, width in enumerate((48, 16, 48), 1):
        x = dense(x, setup, width, f"hidden{number}")
    return layers.Dense(64, **{"activation": "sigmoid", **setup.head}, name="head")(x)
