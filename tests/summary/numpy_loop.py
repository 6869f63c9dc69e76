"""A training in plain NumPy, backpropagation by hand, logged through TensorBoard's own writer.

A program of its own, to be run where there is no TensorFlow: `numpy_loop.py LOG_DIR ILLNESS`, with
the illness `none`, `learning_rate` or `dead_units`.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter

import tensorboard_gradhealth as gradhealth

Arrays = dict[str, np.ndarray]


def initial_weights(random: np.random.Generator, bias: float) -> Arrays:
    return {
        "hidden/kernel": random.normal(0, np.sqrt(2 / 20), (20, 64)),
        "hidden/bias": np.full(64, bias),
        "output/kernel": random.normal(0, np.sqrt(1 / 64), (64, 1)),
        "output/bias": np.zeros(1),
    }


def forward_and_backward(weights: Arrays, x: np.ndarray, y: np.ndarray) -> tuple[Any, ...]:
    """Returns the mean squared error, the gradients, and input and output of the ReLU."""
    before = x @ weights["hidden/kernel"] + weights["hidden/bias"]
    hidden = np.maximum(before, 0)
    error = hidden @ weights["output/kernel"] + weights["output/bias"] - y
    to_output = 2 * error / len(x)
    to_hidden = (to_output @ weights["output/kernel"].T) * (before > 0)
    gradients = {
        "hidden/kernel": x.T @ to_hidden,
        "hidden/bias": to_hidden.sum(axis=0),
        "output/kernel": hidden.T @ to_output,
        "output/bias": to_output.sum(axis=0),
    }
    return np.mean(error**2), gradients, before, hidden


def train(log_dir: str, rate: float, bias: float, steps: int = 80) -> None:
    random = np.random.default_rng(0)
    weights = initial_weights(random, bias)
    target = random.normal(size=(20, 1)) / np.sqrt(20)
    memory: Arrays = {}
    writer = EventFileWriter(log_dir)
    for step in range(steps):
        x = random.normal(size=(64, 20))
        y = np.tanh(x @ target) + 0.1 * random.normal(size=(64, 1))
        loss, gradients, before, hidden = forward_and_backward(weights, x, y)
        updated = {name: weights[name] - rate * gradients[name] for name in weights}
        activation = {"inputs": {"hidden": before}, "slopes": {"hidden": np.float64(before > 0)}}
        summaries = [
            gradhealth.summary.gradients_pb(gradients),
            gradhealth.summary.updates_pb(updated, before=weights),
            gradhealth.summary.activations_pb({"hidden": hidden}, **activation, memory=memory),
            gradhealth.summary.inputs_pb(x, memory=memory),
            gradhealth.summary.training_pb(loss=loss, learning_rate=rate),
        ]
        if step == 0:
            layout = gradhealth.summary.layout_pb(
                variables=weights,
                activations={"hidden": hidden},
                functions={"hidden": "relu"},
                inputs=x,
                facts={"optimizer": "SGD", "loss": "mean_squared_error"},
            )
            summaries.insert(0, layout)
        for summary in summaries:
            writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))
        weights = updated
    writer.close()


def main(log_dir: str, illness: str) -> None:
    train(
        log_dir,
        rate=0.5 if illness == "learning_rate" else 0.01,
        bias=-20.0 if illness == "dead_units" else 0.0,
    )
    for finding in gradhealth.diagnose(log_dir):
        if finding.severity != "info" and not finding.caused_by:
            print(finding.rule, finding.layers[0])


if __name__ == "__main__":
    assert importlib.util.find_spec("tensorflow") is None
    with np.errstate(all="ignore"):  # sick trainings overflow
        main(sys.argv[1], sys.argv[2])
