"""The hidden parts of the suite's networks, and which of them serve for what."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras import layers

from benchmarks.diagnosis.bodies import convolutional, dense, sequences
from benchmarks.diagnosis.setups import Setup


@dataclasses.dataclass(frozen=True)
class Body:
    """The hidden part of a network.

    Attributes:
      input: Kind of data, see `data.load`.
      build: Makes the hidden layers from (tensor, setup, depth).
      depth: How many blocks, if the setup does not say.
      has_head: Whether `build` makes the output layer too.
    """

    input: str
    build: Callable[[Any, Setup, int], Any]
    depth: int
    has_head: bool = False


CHOOSE: dict[str, Body] = {
    "mlp": Body("table", dense.mlp(48), 2),
    "flat_mlp": Body("flat", dense.mlp(64), 2),
    "deep_mlp": Body("table", dense.mlp(64), 4),
    "gated_mlp": Body("table", dense.gated_mlp, 3),
    "autoencoder": Body("flat", dense.autoencoder, 3, has_head=True),
    "cnn": Body("images", convolutional.cnn, 2),
    "cnn_bn": Body("images", convolutional.cnn_bn, 3),
    "resnet": Body("images", convolutional.resnet, 2),
    "dense_cnn": Body("images", convolutional.dense_cnn, 3),
    "conv_autoencoder": Body("images", convolutional.conv_autoencoder, 3, has_head=True),
    "rnn": Body("series", sequences.recurrent(layers.SimpleRNN), 1),
    "lstm": Body("series", sequences.recurrent(layers.LSTM), 1),
    "gru": Body("series", sequences.recurrent(layers.GRU), 1),
    "attention": Body("series", sequences.series_attention, 1),
    "transformer": Body("tokens", sequences.token_attention, 2),
}

REPORT: dict[str, Body] = {
    "two_towers": Body("table", dense.two_towers, 2),
    "residual_mlp": Body("flat", dense.residual_mlp, 3),
    "mixer": Body("images", dense.mixer, 2),
    "depthwise_cnn": Body("images", convolutional.depthwise_cnn, 3),
    "parallel_cnn": Body("images", convolutional.parallel_cnn, 2),
    "denoiser": Body("images", convolutional.denoiser, 3, has_head=True),
    "tcn": Body("series", sequences.tcn, 3),
    "birnn": Body("series", sequences.both_ways(layers.SimpleRNN), 1),
    "bilstm": Body("series", sequences.both_ways(layers.LSTM), 1),
    "vit": Body("images", sequences.patch_attention, 2),
}

BODIES = {**CHOOSE, **REPORT}

PARTS: dict[str, tuple[str, ...]] = {"choose": tuple(CHOOSE), "report": tuple(REPORT)}
"""Which bodies serve to choose thresholds and which to report: none does both."""

SEEDS: dict[str, int] = {"choose": 0, "report": 4000}
"""The first seed of each part."""
