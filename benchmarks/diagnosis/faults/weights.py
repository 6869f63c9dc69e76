"""Initial weights and activations that let no signal through, or too much."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from benchmarks.diagnosis.faults._base import Fault
from benchmarks.diagnosis.setups import changed

SGD = keras.optimizers.SGD
START = "poor_initialization"


def shrinking_tanh(x: Any) -> Any:
    """Lets one hundredth of the signal through."""
    return ops.tanh(0.01 * x)


def _normal(deviation: float) -> Any:
    return keras.initializers.RandomNormal(stddev=deviation)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "zero_weights",
        "hidden kernels that start from zero",
        "flat_mlp/classes mlp/values deep_mlp/classes gated_mlp/classes cnn/classes "
        "two_towers/classes parallel_cnn/classes dense_cnn/classes tcn/classes",
        changed(hidden={"kernel_initializer": "zeros"}),
        (START,),
        "hidden",
    ),
    Fault(
        "equal_weights",
        "hidden kernels whose weights are all the same",
        "mlp/classes flat_mlp/classes deep_mlp/values gated_mlp/values cnn/classes "
        "two_towers/values parallel_cnn/classes dense_cnn/classes tcn/classes",
        changed(hidden={"kernel_initializer": keras.initializers.Constant(0.05)}),
        (START,),
        "hidden",
    ),
    Fault(
        "huge_weights",
        "hidden kernels that start twenty times too large",
        "flat_mlp/classes mlp/values deep_mlp/classes gated_mlp/classes cnn/values "
        "two_towers/classes parallel_cnn/values dense_cnn/values tcn/values",
        changed(hidden={"kernel_initializer": _normal(3.0)}),
        (START,),
        "hidden",
    ),
    Fault(
        "tiny_weights",
        "hidden kernels that start a thousand times too small",
        "mlp/classes flat_mlp/values deep_mlp/classes gated_mlp/classes cnn/classes "
        "two_towers/classes tcn/classes",
        changed(hidden={"kernel_initializer": _normal(1e-4)}, depth=5, optimizer=lambda: SGD(0.1)),
        (START, "vanishing_gradients"),
        "hidden",
    ),
    Fault(
        "saturated_tanh",
        "tanh at its ends from the start",
        "mlp/classes flat_mlp/values deep_mlp/binary gated_mlp/binary cnn/classes "
        "two_towers/binary tcn/classes parallel_cnn/classes dense_cnn/classes",
        changed(hidden={"kernel_initializer": _normal(6.0)}, activation="tanh"),
        ("saturated_activations", START),
        "hidden",
    ),
    Fault(
        "deep_sigmoids",
        "eight sigmoid layers in a row",
        "mlp/classes flat_mlp/classes deep_mlp/values gated_mlp/values cnn/classes "
        "two_towers/values tcn/classes",
        changed(activation="sigmoid", depth=8, optimizer=lambda: SGD(0.1)),
        ("vanishing_gradients", "attenuating_activation"),
        "hidden",
    ),
    Fault(
        "shrinking_activation",
        "a hand-made activation, tanh(0.01 x)",
        "mlp/values flat_mlp/classes deep_mlp/classes gated_mlp/classes cnn/classes "
        "transformer/classes two_towers/classes tcn/classes vit/classes",
        changed(activation=shrinking_tanh),
        ("attenuating_activation",),
        "hidden",
    ),
    Fault(
        "dead_relu",
        "biases that start far below zero",
        "mlp/classes autoencoder/copy deep_mlp/values gated_mlp/values cnn/classes "
        "two_towers/values tcn/classes denoiser/copy",
        changed(hidden={"bias_initializer": keras.initializers.Constant(-15.0)}),
        ("dead_units", START),
        "hidden",
    ),
    Fault(
        "exploding_recurrence",
        "ReLU in a recurrent layer whose weights make it grow at each step",
        # Not in gated ones, which bound it: three GRUs of five validate as well as their twins.
        "rnn/classes rnn/binary birnn/classes birnn/binary",
        changed(
            recurrent={
                "activation": "relu",
                "recurrent_initializer": keras.initializers.Orthogonal(gain=6.0),
            }
        ),
        ("exploding_gradients", START),
        "recurrent",
    ),
)
