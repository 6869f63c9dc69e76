"""Synthetic runs for the published rules: all is well, but for what a test changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benchmarks.diagnosis.measures import ACTIVATION, VARIABLE
from benchmarks.diagnosis.series import Series

RECORDS, EPOCHS = 20, 10

FACTS: dict[str, Any] = {
    "task": "classes",
    "input_nonfinite": 0,
    "input_low": -1.0,
    "input_high": 1.0,
    "input_mean": 0.0,
    "input_standardised": False,
    "input_constant": False,
    "input_shape": [8],
    "samples": 800,
    "classes": 4,
    "label_ratio": 1.1,
    "label_top_share": 0.26,
    "label_perplexity": 0.99,
    "target_low": 0.0,
    "target_high": 3.0,
    "target_shape": [],
    "variables": ["first/kernel", "second/kernel"],
    "activations": ["first"],
    "functions": ["relu"],
    "fans": [[8, 16], [16, 4]],
    "head": "softmax",
    "loss": "sparse_categorical_crossentropy",
    "learning_rate": 1e-3,
    "dropout": 0.0,
}

USUAL_VARIABLE = {
    "gradient_mean": 1e-2,
    "gradient_norm": 0.1,
    "gradient_max": 0.1,
    "gradient_zeros": 0.1,
    "gradient_range": 0.02,
    "gradient_nonfinite": 0,
    "weight_norm": 5.0,
    "weight_variance": 0.12,
    "weight_mean": 0.3,
    "weight_max": 0.8,
    "weight_nonfinite": 0,
    "weight_change": 0.01,
    "update_ratio": 3e-3,
}

USUAL_ACTIVATION = {
    "nonfinite": 0,
    "not_positive": 0.5,
    "rarely_active": 0.05,
    "silent": 0.0,
    "at_end": 0.0,
    "beyond_five": 0.0,
    "crowded": 0.0,
    "deviation": 0.8,
}


def healthy(**facts: Any) -> Series:
    """A run that learns; `facts` replace its own."""
    loss = 1.4 * 0.9 ** np.arange(RECORDS)
    accuracy = np.linspace(0.65, 0.9, EPOCHS)
    epochs = {
        "step": 20 * np.arange(1, EPOCHS + 1) - 1,
        "loss": np.linspace(1.3, 0.3, EPOCHS),
        "val_loss": np.linspace(1.35, 0.31, EPOCHS),
        "accuracy": accuracy,
        "val_accuracy": accuracy - 0.01,
    }
    variables = np.tile([USUAL_VARIABLE[name] for name in VARIABLE], (RECORDS, 2, 1))
    activations = np.tile([USUAL_ACTIVATION[name] for name in ACTIVATION], (RECORDS, 1, 1))
    steps = 10 * np.arange(RECORDS)
    return Series(steps, loss, variables, activations, epochs, {**FACTS, **facts})


def with_variable(series: Series, name: str, value: float, row: int = 0, start: int = 0) -> Series:
    """The run with one measure of one kernel replaced, from a record on."""
    variables = series.variables.copy()
    variables[start:, row, VARIABLE.index(name)] = value
    return dataclasses.replace(series, variables=variables)


def with_activation(series: Series, name: str, value: float) -> Series:
    """The run with one measure of its activation replaced."""
    activations = series.activations.copy()
    activations[:, 0, ACTIVATION.index(name)] = value
    return dataclasses.replace(series, activations=activations)


def with_epochs(series: Series, **logs: Any) -> Series:
    """The run with other logs."""
    arrays = {name: np.asarray(values, float) for name, values in logs.items()}
    return dataclasses.replace(series, epochs={**series.epochs, **arrays})
