"""The other side of `benchmarks.curvature pytorch`: run by a Python that has torch.

Reads a tanh network and its batch from the `.npz` file that is named on the command line, and
prints as JSON what curvlinops and pyhessian say of its Hessian, and what a product costs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from pyhessian import hessian
from scipy.sparse.linalg import eigsh

ROUNDS = 30


def network(arrays: Any) -> torch.nn.Sequential:
    """Returns the network with the weights given: kernel and bias in turn."""
    weights = [arrays[f"w{i}"] for i in range(len(arrays.files) - 2)]
    modules: list[torch.nn.Module] = []
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        layer = torch.nn.Linear(*kernel.shape)
        layer.weight.data = torch.tensor(kernel.T.copy())
        layer.bias.data = torch.tensor(bias)
        modules += [layer, torch.nn.Tanh()]
    return torch.nn.Sequential(*modules[:-1])


def main() -> None:
    """Prints the answers."""
    torch.set_num_threads(1)  # several spin while they wait, which counts as CPU time
    arrays = np.load(sys.argv[1])
    model, loss_of = network(arrays), torch.nn.CrossEntropyLoss()
    x, y = torch.tensor(arrays["x"]), torch.tensor(arrays["y"])
    weights = list(model.parameters())
    vectors = [torch.randn_like(weight) for weight in weights]

    def slopes(keep: bool) -> tuple[torch.Tensor, ...]:
        found: tuple[torch.Tensor, ...]
        found = torch.autograd.grad(loss_of(model(x), y), weights, create_graph=keep)
        return found

    def product() -> None:
        torch.autograd.grad(slopes(keep=True), weights, vectors)

    plain, double = _seconds(lambda: slopes(keep=False)), _seconds(product)
    operator = HessianLinearOperator(model, loss_of, weights, [(x, y)])
    top = eigsh(operator.to_scipy(), k=1, which="LA", tol=1e-5)[0][0]
    power = hessian(model, loss_of, data=(x, y), cuda=False)
    largest = power.eigenvalues(maxIter=300, tol=1e-6, top_n=1)[0][0]
    answer = {
        "torch": torch.__version__,
        "curvlinops": float(top),
        "pyhessian": float(largest),
        "gradient_ms": 1000 * plain,
        "ratio": double / plain,
    }
    print(json.dumps(answer))


def _seconds(function: Callable[[], Any]) -> float:
    """Returns the median CPU time of a call."""
    taken = []
    for _ in range(ROUNDS):
        started = time.process_time()
        function()
        taken.append(time.process_time() - started)
    return float(np.median(taken[5:]))


if __name__ == "__main__":
    main()
