"""Inputs and targets that are not fit to train on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from benchmarks.diagnosis.data import Array, Data
from benchmarks.diagnosis.faults._base import Fault, inputs
from benchmarks.diagnosis.setups import Change, changed

SGD = keras.optimizers.SGD


def _targets(change: Callable[[Array], Array]) -> Change:
    return changed(prepare=(lambda data, random: data.each_y(change),))


def _entries(share: float, value: float) -> Callable[[Array, np.random.Generator], Array]:
    """Puts `value` in place of a share of one feature's (channel's, pixel's) values."""

    def change(x: Array, random: np.random.Generator) -> Array:
        feature = x.reshape(len(x), -1, x.shape[-1]).copy()
        feature[random.random(len(x)) < share, feature.shape[1] // 2, 1 % x.shape[-1]] = value
        return np.reshape(feature, x.shape)

    return change


def _one_large_feature(x: Array, random: np.random.Generator) -> Array:
    scale: Array = np.where(np.arange(x.shape[-1]) == 1, 1000, 1).astype(x.dtype)
    return np.multiply(x, scale)


def _pixels(data: Data, random: np.random.Generator) -> Data:
    return data.each_x(lambda x: x * 255).each_y(lambda y: y * 255)


def _corrupt_batch(data: Data, random: np.random.Generator) -> Data:
    scale = np.ones((len(data.x), *[1] * (data.x.ndim - 1)), "float32")
    scale[480:512] = 1e4
    return dataclasses.replace(data, x=data.x * scale)


def _sorted(data: Data, random: np.random.Generator) -> Data:
    order = np.argsort(data.y, axis=0, kind="stable").ravel()
    return dataclasses.replace(data, x=data.x[order], y=data.y[order])


def _rare_class(data: Data, random: np.random.Generator) -> Data:
    """Keeps one positive in twenty-five, and blurs the inputs so that it is not worth finding."""

    def keep(y: Array) -> Array:
        return np.asarray((y[:, 0] == 0) | (random.random(len(y)) < 0.04))

    def blur(x: Array) -> Array:
        return np.asarray(x + 2 * random.normal(size=x.shape), "float32")

    return data.keep(keep).each_x(blur)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "raw_pixels",
        "pixels from 0 to 255",
        "flat_mlp/classes flat_mlp/values cnn/classes cnn/values parallel_cnn/classes "
        "dense_cnn/classes "
        "parallel_cnn/values dense_cnn/values",
        inputs(lambda x, random: 255 * x, optimizer=lambda: SGD(0.05)),
        ("unscaled_inputs",),
    ),
    Fault(
        "raw_pixels_copied",
        "an autoencoder of pixels from 0 to 255, with a sigmoid at its end",
        "autoencoder/copy conv_autoencoder/copy denoiser/copy",
        changed(prepare=(_pixels,)),
        ("unscaled_inputs", "output_loss_mismatch"),
    ),
    Fault(
        "unscaled_feature",
        "one feature a thousand times larger than the others",
        "mlp/classes lstm/classes deep_mlp/binary gated_mlp/binary gru/values "
        "two_towers/classes bilstm/values birnn/classes",
        inputs(_one_large_feature),
        ("unscaled_inputs",),
    ),
    Fault(
        "unscaled_targets",
        "targets in the thousands",
        "mlp/values lstm/values cnn/values deep_mlp/values gated_mlp/values two_towers/values "
        "tcn/values parallel_cnn/values dense_cnn/values",
        _targets(lambda y: 500 * y + 3000),
        ("unscaled_inputs",),
    ),
    Fault(
        "missing_values",
        "NaN in one value of a hundred samples",
        "flat_mlp/classes lstm/classes cnn/classes deep_mlp/values gated_mlp/values "
        "residual_mlp/classes tcn/classes two_towers/values",
        inputs(_entries(0.01, float("nan"))),
        ("nonfinite_inputs",),
    ),
    Fault(
        "infinite_values",
        "the logarithm of zero among the inputs",
        "mlp/values cnn_bn/classes deep_mlp/classes gated_mlp/classes gru/binary "
        "two_towers/classes bilstm/binary depthwise_cnn/classes",
        inputs(_entries(0.02, float("-inf"))),
        ("nonfinite_inputs",),
    ),
    Fault(
        "placeholders",
        "-999 for what is missing",
        "mlp/binary flat_mlp/classes deep_mlp/values gated_mlp/classes gated_mlp/values "
        "two_towers/values residual_mlp/classes tcn/binary",
        inputs(_entries(0.05, -999.0)),
        ("unscaled_inputs", "nonfinite_inputs"),
    ),
    Fault(
        "corrupt_batch",
        "one batch ten thousand times too large",
        "mlp/values flat_mlp/values deep_mlp/values gated_mlp/values cnn/values "
        "two_towers/values tcn/values parallel_cnn/values dense_cnn/values",
        changed(prepare=(_corrupt_batch,), fit=lambda data: {"shuffle": False}),
        ("unscaled_inputs", "loss_spike", "gradient_spike"),
        begins=15,
    ),
    Fault(
        "sorted_labels",
        "samples sorted by class and not shuffled",
        "flat_mlp/classes lstm/classes cnn/classes transformer/classes residual_mlp/classes "
        "bilstm/classes parallel_cnn/classes dense_cnn/classes",
        changed(
            prepare=(_sorted,),
            fit=lambda data: {"shuffle": False},
            optimizer=lambda: SGD(0.1, momentum=0.9),
        ),
        ("class_imbalance", "loss_oscillation", "loss_spike", "gradient_spike"),
    ),
    Fault(
        "rare_class",
        "one sample in fifty is positive, and none is predicted",
        "mlp/binary flat_mlp/binary deep_mlp/binary gated_mlp/binary cnn/binary "
        "two_towers/binary tcn/binary depthwise_cnn/binary",
        changed(prepare=(_rare_class,), samples=1200, epochs=6),
        ("class_imbalance",),
    ),
)
