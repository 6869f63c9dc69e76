"""Arithmetic that ends in NaN or infinity."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers, ops

from benchmarks.diagnosis.data import Array, Data
from benchmarks.diagnosis.faults._base import Fault
from benchmarks.diagnosis.setups import changed


def _blank_samples(data: Data, random: np.random.Generator) -> Data:
    """Makes one sample in six zero, and its target too where that is a number."""

    def blank(values: Array) -> Array:
        shown = np.arange(len(values)) % 6 > 0
        mask: Array = shown.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype)
        return np.asarray(values * mask)

    data = data.each_x(blank)
    return data.each_y(blank) if data.y.dtype.kind == "f" else data


class Normalise(layers.Layer):
    """Divides by the size of the vector, without an epsilon."""

    def call(self, x: Any) -> Any:
        return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))


def plain_cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """Takes the logarithm of whatever the network says."""
    hot = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1])
    return -ops.sum(hot * ops.log(y_pred), axis=-1)


def distance(y_true: Any, y_pred: Any) -> Any:
    """Has a root in it, which has no slope at zero."""
    return ops.sqrt(ops.sum(ops.square(y_true - y_pred), axis=-1))


FAULTS: tuple[Fault, ...] = (
    Fault(
        "log_of_zero",
        "a hand-made cross-entropy over outputs that can be zero",
        "flat_mlp/classes cnn_bn/classes cnn/classes gru/classes parallel_cnn/classes "
        "dense_cnn/classes "
        "residual_mlp/classes bilstm/classes",
        changed(head={"activation": "relu"}, loss=plain_cross_entropy),
        ("nonfinite_values", "output_loss_mismatch"),
    ),
    Fault(
        "root_of_zero",
        "a distance as loss, whose root has no gradient at zero",
        "mlp/values flat_mlp/values deep_mlp/values gated_mlp/values gru/values "
        "two_towers/values residual_mlp/values tcn/values",
        changed(prepare=(_blank_samples,), loss=distance, fit=lambda data: {"shuffle": False}),
        ("nonfinite_values",),
    ),
    Fault(
        "division_by_zero",
        "a hand-made normalisation without an epsilon",
        "mlp/values flat_mlp/classes deep_mlp/classes gated_mlp/classes cnn/classes "
        "two_towers/classes parallel_cnn/classes dense_cnn/classes tcn/classes",
        changed(prepare=(_blank_samples,), after=lambda: [Normalise()]),
        ("nonfinite_values",),
        "normalise|hidden",
    ),
    Fault(
        "pure_float16",
        "16-bit weights, and an epsilon that is zero in 16 bits",
        "mlp/classes flat_mlp/classes deep_mlp/classes gated_mlp/classes cnn/classes "
        "two_towers/classes parallel_cnn/classes dense_cnn/classes residual_mlp/classes",
        changed(policy="float16"),
        ("nonfinite_values",),
    ),
)
