"""How far a Keras optimizer is from the edge of stability."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tensorboard_gradhealth.curvature.keras_optimizer import keras_limit, keras_preconditioner
from tensorboard_gradhealth.curvature.probe import Curvature
from tensorboard_gradhealth.curvature.reasons import NotMeasurable
from tensorboard_gradhealth.curvature.stability import StabilityLimit

Tensor = Any


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """The edge of stability of an optimizer at one step.

    Attributes:
      limit: The sharpness that it bears; `None` if no limit is known.
      preconditioner: What it divides by, where the limit is about that.
      reason: Why there is no limit; "" if there is one.
    """

    limit: StabilityLimit | None = None
    preconditioner: Sequence[Tensor] | None = None
    reason: str = ""

    def margin(self, found: Curvature) -> float | None:
        """Returns sharpness / limit; `None` without a limit."""
        if self.limit is None:
            return None
        sharpness = found.top if self.limit.sharpness == "hessian" else found.preconditioned
        return None if sharpness is None else self.limit.margin(sharpness.value)


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
        if limit.sharpness == "hessian":
            return Edge(limit)
        return Edge(limit, keras_preconditioner(optimizer, variables))
    except NotMeasurable as reason:
        return Edge(reason=str(reason))
