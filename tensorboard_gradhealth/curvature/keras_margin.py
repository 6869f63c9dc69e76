"""How far a Keras optimizer is from the edge of stability."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tensorboard_gradhealth.curvature.keras_optimizer import keras_limit, keras_preconditioner
from tensorboard_gradhealth.curvature.probe import Curvature
from tensorboard_gradhealth.curvature.reasons import NotMeasurable
from tensorboard_gradhealth.curvature.stability import StabilityLimit

Tensor = Any

_IDLE = 0.5
"""Share of a layer's units from which on sharpness says little: dead ones bend nothing."""

_ELSEWHERE = 0.5
"""Curvature on another batch / sharpness, below which sharpness is that of one batch only."""


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """The edge of stability of an optimizer at one step.

    Attributes:
      limit: The sharpness that it bears; `None` if no limit is known.
      preconditioner: What it divides by, where the limit is about that.
      reason: Why there is no limit; "" if there is one.
      units: Index to name of the variables that have one element for each unit of a layer.
    """

    limit: StabilityLimit | None = None
    preconditioner: Sequence[Tensor] | None = None
    reason: str = ""
    units: Mapping[int, str] = dataclasses.field(default_factory=dict)

    def margin(self, found: Curvature) -> float | None:
        """Returns sharpness / limit; `None` where that does not apply, see `doubt`."""
        if self.limit is None or self.doubt(found):
            return None
        sharpness = found.top if self.limit.sharpness == "hessian" else found.preconditioned
        return None if sharpness is None else self.limit.margin(sharpness.value)

    def doubt(self, found: Curvature) -> str:
        """Returns why the limit does not apply to what a probe found; "" if it does."""
        if self.limit is None:
            return self.reason
        for index, name in self.units.items():
            if found.idle[index] >= _IDLE:
                return (
                    f"no gradient reaches {found.idle[index]:.0%} of the units of {name}, and "
                    "sharpness tells nothing of units that are dead"
                )
        elsewhere, top = found.elsewhere, found.top.value
        if elsewhere is not None and top > 0.0 and elsewhere < _ELSEWHERE * top:
            return (
                f"the batch is far from the full one: its loss bends by {top:.3g} where it bends "
                f"most, that of another batch there by {elsewhere:.3g}; larger batches, or one "
                "large batch to probe, would tell"
            )
        return ""


def keras_edge(optimizer: Any, variables: Sequence[Any]) -> Edge:
    """Returns the edge of an optimizer of `variables` at its present state.

    Args:
      optimizer: A Keras optimizer, or `None`.
      variables: Those that it trains.
    """
    if optimizer is None:
        return Edge(reason="no optimizer was given")
    try:
        limit = keras_limit(optimizer)
        adaptive = limit.sharpness == "preconditioned"
        preconditioner = keras_preconditioner(optimizer, variables) if adaptive else None
    except NotMeasurable as reason:
        return Edge(reason=str(reason))
    return Edge(limit, preconditioner, units=_units(variables))


def _units(variables: Sequence[Any]) -> dict[int, str]:
    """Biases, and the scales of normalisation: the other shapes have inputs, too."""
    return {
        index: getattr(variable, "path", variable.name)
        for index, variable in enumerate(variables)
        if len(variable.shape) == 1
    }
