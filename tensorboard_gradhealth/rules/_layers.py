"""For rules on a share of each hidden layer that is lost: dead units, saturated outputs."""

from __future__ import annotations

import dataclasses

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated
from tensorboard_gradhealth.rules._support import learns
from tensorboard_gradhealth.rules._view import Floats, View
from tensorboard_gradhealth.rules._wording import percent, title
from tensorboard_gradhealth.types import Evidence, Severity

_TOLD = 100
"""Step from which it can be told whether a network learns; single batches scatter too much."""


@dataclasses.dataclass(frozen=True, slots=True)
class LostLayers:
    """The hidden layers that lost more than the rule's limit, worst first.

    Less than the limit of an error does not waste a training that learns.
    """

    severity: Severity
    names: tuple[str, ...]
    title: str
    evidence: tuple[Evidence, ...]


def hidden_values(view: View, signal: str) -> Floats:
    """The newest values of a signal of activations, float32 `[rows]`; NaN unless hidden.

    Raises:
      NotEvaluated: There is no hidden activation, or none was measured so far.
    """
    is_hidden = view.where(signal, "hidden")
    if not is_hidden.any():
        raise NotEvaluated("the model has no hidden activation that was recorded")
    if not (is_hidden & view.measured(signal)).any():
        raise NotEvaluated(f"`{signal}` was not measured yet")
    return np.where(is_hidden, view.latest(signal), np.float32(np.nan))


def lost_layers(view: View, signal: str, share: Floats, part: str, fate: str) -> LostLayers | None:
    """Compares each layer with the limits `warning` and `error` of the rule.

    Args:
      view: Of the record to judge.
      signal: Where the shares come from.
      share: float32 `[rows]`; NaN where a layer is not to be judged.
      part: What a share is a share of, in the plural: `units`.
      fate: What happened to it: `dead`.

    Returns:
      The layers over `warning`; None if there is none.
    """
    limits, rows = view.limits, view.rows(signal)
    lost = np.flatnonzero(share > limits["warning"])
    if not len(lost):
        return None
    worst = [int(i) for i in lost[np.argsort(-share[lost], kind="stable")]]
    names = tuple(rows[i].name for i in worst)
    largest = float(share[worst[0]])
    harms = view.record.step >= _TOLD and not learns(view)
    severity: Severity = "warning" if harms else "info"
    if largest > limits["error"]:
        severity = "error"
    if len(worst) == 1:
        head = title(f"{percent(largest)} of the {part} of {{}} are {fate}", names[0])
    else:
        head = title(f"Most {part} of {{}} are {fate}", names[0], len(worst) - 1, "layer")
    evidence = tuple(
        Evidence(
            f"share of {part} that are {fate}",
            float(share[i]),
            limits["error" if share[i] > limits["error"] else "warning"],
            "",
            signal,
            view.record.step,
            rows[i].name,
        )
        for i in worst[:3]
    )
    return LostLayers(severity, names, head, evidence)


def worst_layer(
    view: View, signal: str, share: Floats, label: str, limit: float, step: int = 0
) -> Evidence | None:
    """The hidden layer that lost most, if that is over the limit.

    Args:
      view: Of the record to judge.
      signal: Where the shares come from.
      share: float32 `[rows]`; NaN where it is not known.
      label: What a share is.
      limit: Share from which a loss of the layer harms.
      step: When it was read.
    """
    hidden = view.where(signal, "hidden")
    if not hidden.any():
        return None
    lost = np.nan_to_num(np.where(hidden, share, 0))
    worst = int(lost.argmax())
    if not lost[worst] > limit:
        return None
    row = view.rows(signal)[worst].name
    return Evidence(label, float(lost[worst]), limit, "", signal, step, row)
