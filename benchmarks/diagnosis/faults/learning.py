"""Layers that cannot learn, and labels that cannot be learnt."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.diagnosis.data import Data
from benchmarks.diagnosis.faults._base import Fault
from benchmarks.diagnosis.setups import changed

Adam = keras.optimizers.Adam


class StopGradient(layers.Layer):
    """A detach that was left in."""

    def call(self, x: Any) -> Any:
        return ops.stop_gradient(x)


class Round(layers.Layer):
    """An operation without a derivative in the middle of the network."""

    def call(self, x: Any) -> Any:
        return ops.round(x)


def _shuffled_labels(data: Data, random: np.random.Generator) -> Data:
    return dataclasses.replace(data, y=random.permutation(data.y))


def _few_noisy_labels(data: Data, random: np.random.Generator) -> Data:
    y = np.where(random.random(len(data.y)) < 0.3, random.permutation(data.y), data.y)
    return dataclasses.replace(data, y=y)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "stopped_gradient",
        "a stop_gradient that was left in",
        "mlp/classes flat_mlp/values deep_mlp/classes gated_mlp/classes cnn/classes "
        "transformer/classes two_towers/classes parallel_cnn/classes dense_cnn/classes vit/classes "
        "mixer/classes",
        changed(after=lambda: [StopGradient()]),
        ("frozen_layer",),
        "hidden",
    ),
    Fault(
        "rounded",
        "rounding between the layers, which no gradient passes",
        "flat_mlp/classes lstm/classes cnn/classes deep_mlp/values gated_mlp/values "
        "two_towers/values parallel_cnn/classes dense_cnn/classes tcn/classes",
        changed(after=lambda: [Round()]),
        ("frozen_layer",),
        "hidden|recurrent",
    ),
    Fault(
        "strong_decay",
        "weight decay that leaves nothing of the weights",
        "flat_mlp/classes mlp/classes cnn/classes deep_mlp/classes gated_mlp/classes "
        "two_towers/classes parallel_cnn/classes dense_cnn/classes tcn/classes",
        changed(hidden={"kernel_regularizer": keras.regularizers.L2(3.0)}),
        ("loss_plateau", "vanishing_gradients"),
    ),
    Fault(
        "memorised",
        "few samples, some with wrong labels, for very long",
        # Recurrent ones too: two GRUs of two validate clearly worse than their healthy twins.
        "mlp/classes flat_mlp/classes deep_mlp/classes gated_mlp/classes gru/classes "
        "two_towers/classes residual_mlp/classes bilstm/classes",
        changed(
            prepare=(_few_noisy_labels,),
            samples=128,
            epochs=40,
            batch_size=16,
            optimizer=lambda: Adam(5e-3),
        ),
        ("overfitting",),
    ),
    Fault(
        "shuffled_labels",
        "labels that no longer belong to their inputs",
        "mlp/binary flat_mlp/classes deep_mlp/binary gated_mlp/binary cnn/classes "
        "two_towers/binary residual_mlp/classes parallel_cnn/classes dense_cnn/classes",
        changed(
            prepare=(_shuffled_labels,),
            samples=128,
            epochs=40,
            batch_size=16,
            optimizer=lambda: Adam(5e-3),
        ),
        ("overfitting", "loss_plateau", "noise_dominated"),
    ),
)
