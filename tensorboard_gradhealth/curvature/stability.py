"""How much curvature an optimizer bears before its steps along it grow.

On a quadratic with curvature s, each of these optimizers is a linear recurrence that is stable
for s below a limit. In full-batch training sharpness rises to that limit and stays there, at the
edge of stability (Cohen et al. 2021; for preconditioned optimizers Cohen et al. 2022).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from tensorboard_gradhealth.curvature.reasons import NotMeasurable

Sharpness = Literal["hessian", "preconditioned"]


@dataclasses.dataclass(frozen=True, slots=True)
class StabilityLimit:
    """The sharpness up to which an optimizer is stable.

    Attributes:
      value: The limit, in units of the sharpness; infinite at a learning rate of zero.
      name: For a chart, such as `gradient descent: 2/η`.
      sharpness: Which top eigenvalue it applies to: that of the Hessian H, or that of
        P^-1/2 H P^-1/2, P being what the optimizer divides by.
    """

    value: float
    name: str
    sharpness: Sharpness

    def margin(self, sharpness: float) -> float:
        """Returns sharpness / limit: 1 is the edge, above 1 steps along the top direction grow."""
        return sharpness / self.value


def stability_limit(
    optimizer: str,
    learning_rate: float,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    beta_1: float = 0.9,
) -> StabilityLimit:
    """Returns the limit of an optimizer.

    Args:
      optimizer: `sgd`, `adam`, `adamw`, `rmsprop` or `adagrad`, in any case.
      learning_rate: Of the step, called η in the names of limits.
      momentum: Of `sgd` and `rmsprop`, which add up steps; not an average.
      nesterov: Whether the momentum of `sgd` is Nesterov's.
      beta_1: Decay of the average of gradients of `adam` and `adamw`.

    Decoupled weight decay is left out: it changes the limit by the factor 1 - η decay / 2.

    Raises:
      NotMeasurable: No limit is known; says why.
      ValueError: `learning_rate` is negative, or a decay is not in [0, 1).
    """
    _check(learning_rate, momentum=momentum, beta_1=beta_1)
    name = optimizer.lower()
    heavy = 2.0 + 2.0 * momentum
    if name == "sgd" and nesterov and momentum:
        return _limit("Nesterov", heavy / (1.0 + 2.0 * momentum), learning_rate, "hessian")
    if name == "sgd":
        method = "heavy ball" if momentum else "gradient descent"
        return _limit(method, heavy, learning_rate, "hessian")
    if name in ("adam", "adamw"):
        factor = (2.0 + 2.0 * beta_1) / (1.0 - beta_1)
        return _limit(_SPELLED[name], factor, learning_rate, "preconditioned")
    if name == "rmsprop":
        return _limit(_SPELLED[name], heavy, learning_rate, "preconditioned")
    if name == "adagrad":
        return _limit(_SPELLED[name], 2.0, learning_rate, "preconditioned")
    raise NotMeasurable(_WITHOUT.get(name, f"no stability limit is known for {optimizer}"))


_SPELLED = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "adagrad": "Adagrad"}

_WITHOUT = {
    "lion": "Lion's steps have the same length however small the gradient is, so that no "
    "sharpness makes them stable",
}


def _limit(
    method: str, factor: float, learning_rate: float, sharpness: Sharpness
) -> StabilityLimit:
    value = math.inf if learning_rate == 0.0 else factor / learning_rate
    return StabilityLimit(value, f"{method}: {factor:.3g}/η", sharpness)


def _check(learning_rate: float, **decays: float) -> None:
    if learning_rate < 0.0:
        raise ValueError(f"learning_rate must not be negative, got {learning_rate}")
    for name, value in decays.items():
        if not 0.0 <= value < 1.0:
            raise ValueError(f"{name} must be at least 0 and below 1, got {value}")
