"""How right and how expensive curvature is: `python -m benchmarks.curvature [part ...]`.

Parts: `accuracy` against the full Hessian, `cost` of a Hessian-vector product, `edge` of stability
reproduced, and `pytorch`, which needs the path of a Python that has torch, curvlinops-for-pytorch
and pyhessian: `python -m benchmarks.curvature pytorch --python other/bin/python`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks import edge_of_stability
from benchmarks.networks import NETWORKS
from tensorboard_gradhealth.curvature import CurvatureProbe, keras_loss
from tensorboard_gradhealth.curvature.hvp import LossFunction, gradient, hessian_vector_product
from tests.curvature import networks

ROUNDS = 10
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "edge_of_stability.svg"


def accuracy(_: argparse.Namespace) -> None:
    """Compares probes of four small networks with their full Hessian in float64."""
    print(
        "| network | parameters | top, full | probe | off by | lowest, full | probe "
        "| trace, full | probe ± standard error | off by, errors | products |\n" + "|---" * 11 + "|"
    )
    for name in networks.NETWORKS:
        hessian = networks.full_hessian(name)
        values, trace = np.linalg.eigvalsh(hessian), np.trace(hessian)
        model = networks.compiled(name)
        probe = CurvatureProbe(keras_loss(model))
        found = probe.measure(networks.values(model), networks.batch(model))
        off = abs(found.top.value / values[-1] - 1.0)
        errors = abs(found.trace.value - trace) / found.trace.error
        print(
            f"| {name} | {len(hessian)} | {values[-1]:.6g} | {found.top.value:.6g} | {off:.1e} "
            f"| {values[0]:.4g} | {found.lowest.value:.4g} | {trace:.4g} "
            f"| {found.trace.value:.4g} ± {found.trace.error:.2g} | {errors:.1f} "
            f"| {found.products} |",
            flush=True,
        )


def cost(options: argparse.Namespace) -> None:
    """Times a Hessian-vector product in both modes against the gradient, by CPU time."""
    print("| network | XLA | gradient, ms | reverse over reverse | forward over reverse |")
    print("|---|---|---|---|---|")
    for network, jit in itertools.product(options.networks, (False, True)):
        model, (x, y) = NETWORKS[network]()
        model.compile("sgd", "sparse_categorical_crossentropy")
        batch = (tf.constant(x), tf.constant(y))
        plain, reverse, forward = costs(keras_loss(model), networks.values(model), batch, jit)
        print(
            f"| {network} | {jit} | {1000 * plain:.1f} | {reverse:.2f} | {forward:.2f} |",
            flush=True,
        )


def edge(options: argparse.Namespace) -> None:
    """Reproduces the edge of stability."""
    edge_of_stability.report(FIGURE if options.figure else None)


def pytorch(options: argparse.Namespace) -> None:
    """Compares a tanh network with PyTorch: same weights, batch, eigenvalue; relative cost."""
    if options.python is None:
        raise SystemExit("the part `pytorch` needs --python, the path of one that has torch")
    model, batch = _tanh_network()
    weights, loss_fn = networks.values(model), keras_loss(model)
    found = CurvatureProbe(loss_fn, eigen_products=40).measure(weights, batch)
    theirs = _in_pytorch(options.python, weights, batch)
    print("| | top eigenvalue | difference | gradient, ms | product / gradient |")
    print("|---|---|---|---|---|")
    for jit in (False, True):
        plain, ratio, _ = costs(loss_fn, weights, tuple(map(tf.constant, batch)), jit)
        name = f"this package{', XLA' if jit else ''}"
        print(f"| {name} | {found.top.value:.6g} | | {1000 * plain:.1f} | {ratio:.2f} |")
    cells = f"{theirs['gradient_ms']:.1f} | {theirs['ratio']:.2f} |"
    for tool in ("curvlinops", "pyhessian"):
        off = abs(theirs[tool] / found.top.value - 1.0)
        print(f"| {tool}, torch {theirs['torch']} | {theirs[tool]:.6g} | {off:.1e} | {cells}")


def costs(
    loss_fn: LossFunction, weights: Sequence[Any], batch: Sequence[Any], jit: bool
) -> tuple[float, float, float]:
    """Returns a gradient's seconds, and both modes' products as multiples of it, by CPU time.

    All take turns, so that a busy machine slows all of them alike.
    """
    vectors = [tf.random.stateless_normal(weight.shape, (1, 2)) for weight in weights]
    arms = [
        lambda: gradient(loss_fn, weights, *batch)[1],
        lambda: hessian_vector_product(loss_fn, weights, vectors, *batch),
        lambda: forward_over_reverse(loss_fn, weights, vectors, *batch),
    ]
    traced = [tf.function(arm, autograph=False, jit_compile=jit) for arm in arms]
    for arm in traced:
        arm()
    times = np.array([[_seconds(arm) for arm in traced] for _ in range(ROUNDS)])
    plain, reverse, forward = np.median(times / times[:, :1], axis=0)
    return float(np.median(times[:, 0])), float(reverse / plain), float(forward / plain)


def forward_over_reverse(
    loss_fn: LossFunction, weights: Sequence[Any], vectors: Sequence[Any], *batch: Any
) -> list[Any]:
    """The product that the package does not use: slower to trace, and not for every network."""
    with tf.autodiff.ForwardAccumulator(list(weights), list(vectors)) as accumulator:
        _, slopes = gradient(loss_fn, weights, *batch)
    return [tf.convert_to_tensor(accumulator.jvp(slope)) for slope in slopes]


def _seconds(function: Callable[[], Any]) -> float:
    started = time.process_time()
    for tensor in function():
        tensor.numpy()
    return time.process_time() - started


def _tanh_network() -> tuple[keras.Model, tuple[np.ndarray, np.ndarray]]:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    hidden = [layers.Dense(128, "tanh") for _ in range(4)]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.default_rng(0)
    x = random.normal(size=(256, 64)).astype("float32")
    return model, (x, random.integers(0, 10, 256))


def _in_pytorch(
    python: str, weights: Sequence[Any], batch: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "network.npz"
        arrays = {f"w{index}": weight.numpy() for index, weight in enumerate(weights)}
        np.savez(path, x=batch[0], y=batch[1], **arrays)
        script = Path(__file__).with_name("curvature_pytorch.py")
        output = subprocess.check_output([python, str(script), str(path)], text=True)
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


PARTS = {part.__name__: part for part in (accuracy, cost, edge, pytorch)}


def main() -> None:
    """Runs the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--python", help="for the part `pytorch`")
    parser.add_argument("--figure", action="store_true", help=f"draw {FIGURE.name} anew")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(
            f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}"
        )
    for part in options.parts or ("accuracy", "cost", "edge"):
        print(f"\n## {part}\n")
        PARTS[part](options)


if __name__ == "__main__":
    main()
