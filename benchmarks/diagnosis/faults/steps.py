"""Steps that are too long or too short."""

from __future__ import annotations

from typing import Any

import keras

from benchmarks.diagnosis.faults._base import Fault
from benchmarks.diagnosis.setups import changed

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
SMALL = ("learning_rate_too_low",)
LARGE = ("learning_rate_too_high", "unstable_step")


def _decaying() -> Any:
    return Adam(keras.optimizers.schedules.ExponentialDecay(2e-3, 5, 0.1))


def _jumping() -> Any:
    return Adam(keras.optimizers.schedules.PiecewiseConstantDecay([120], [2e-3, 2.0]))


START = "poor_initialization"
HEAD = ("output_loss_mismatch",)
SMALL = ("learning_rate_too_low",)
LARGE = ("learning_rate_too_high", "unstable_step")


FAULTS: tuple[Fault, ...] = (
    Fault(
        "adam_rate_high",
        "Adam with a learning rate of 1",
        "flat_mlp/classes lstm/classes autoencoder/copy cnn/classes transformer/classes "
        "gru/values residual_mlp/classes bilstm/classes denoiser/copy vit/classes tcn/values",
        changed(optimizer=lambda: Adam(1.0)),
        LARGE,
    ),
    Fault(
        "sgd_rate_high",
        "gradient descent with a learning rate a hundred times too high",
        "mlp/values flat_mlp/classes deep_mlp/values gated_mlp/values cnn/classes "
        "two_towers/values parallel_cnn/classes dense_cnn/classes tcn/classes",
        changed(optimizer=lambda: SGD(5.0)),
        LARGE,
    ),
    Fault(
        "momentum_near_one",
        "a momentum of 0.999",
        "mlp/classes autoencoder/copy deep_mlp/classes gated_mlp/classes gru/classes "
        "two_towers/classes denoiser/copy bilstm/classes tcn/classes",
        changed(optimizer=lambda: SGD(0.2, momentum=0.999)),
        (*LARGE, "loss_oscillation"),
    ),
    Fault(
        "rate_jumps",
        "a schedule that raises the rate a thousandfold in the middle",
        "flat_mlp/classes lstm/classes cnn/classes deep_mlp/classes gated_mlp/classes "
        "residual_mlp/classes bilstm/classes parallel_cnn/classes dense_cnn/classes",
        changed(optimizer=_jumping),
        (*LARGE, "loss_divergence"),
        begins=120,
    ),
    Fault(
        "adam_rate_low",
        "Adam with a learning rate a thousand times too low",
        "flat_mlp/classes lstm/binary cnn/classes transformer/classes residual_mlp/classes "
        "bilstm/binary vit/classes",
        changed(optimizer=lambda: Adam(1e-6)),
        SMALL,
    ),
    Fault(
        "sgd_rate_low",
        "gradient descent with a learning rate of 0.00001",
        "mlp/values autoencoder/copy deep_mlp/values gated_mlp/values gru/classes "
        "two_towers/values denoiser/copy tcn/classes",
        changed(optimizer=lambda: SGD(1e-5)),
        SMALL,
    ),
    Fault(
        "rate_decays_away",
        "a schedule that lowers the rate to nothing within 20 steps",
        "flat_mlp/classes lstm/classes cnn/classes gru/values residual_mlp/classes "
        "tcn/classes bilstm/values",
        changed(optimizer=_decaying),
        SMALL,
        begins=20,
    ),
    Fault(
        "clipping_too_strong",
        "gradients clipped to a norm of 0.00001",
        "mlp/classes lstm/values deep_mlp/classes gated_mlp/classes cnn/values "
        "two_towers/classes bilstm/values parallel_cnn/values dense_cnn/values",
        changed(optimizer=lambda: SGD(0.1, clipnorm=1e-5)),
        SMALL,
    ),
)
