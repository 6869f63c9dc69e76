"""Steps that add up: kernels that grow to several times their size, and learn nothing by it."""

from __future__ import annotations

import numpy as np

from tensorboard_gradhealth.rules._base import Sign
from tensorboard_gradhealth.rules._labels import MIXED, order
from tensorboard_gradhealth.rules._long_steps import causes, rate_and_fall
from tensorboard_gradhealth.rules._loss import rate_jump
from tensorboard_gradhealth.rules._pace import rate_was_lowered
from tensorboard_gradhealth.rules._support import (
    Update,
    learns,
    likely_first,
    loss_drop,
    real_kernels,
)
from tensorboard_gradhealth.rules._view import EARLY, Floats, Steps, View
from tensorboard_gradhealth.rules._wording import (
    lower_learning_rate,
    number,
    optimizer_class,
    title,
)
from tensorboard_gradhealth.types import Cause, Evidence, Fix

_LONG_MEMORY = 0.98  # Momentum over which steps add up to more than 50.


def outgrown(view: View) -> Sign | None:
    """A sign if a kernel became several times as large, and nothing was learned by it.

    Looked at are the first steps, and those after the learning rate was raised.
    """
    if view.record.step < view.limits["recovery_step"] or rate_was_lowered(view):
        return None
    if not loss_drop(view) < view.limits["jump_recovery"] or learns(view):
        return None
    if order(view) < MIXED:
        return None  # Steps add up because each batch repeats the class of the one before.
    return _after_the_jump(view) or _from_the_start(view)


def _after_the_jump(view: View) -> Sign | None:
    """The growth since the learning rate was raised, if it was."""
    if (jump := rate_jump(view)) is None:
        return None
    steps, rms = view.past_steps("weight_rms")[:, 0], view.past("weight_rms")
    kept = np.flatnonzero((steps >= jump) & (steps <= jump + EARLY))
    if not len(kept) or kept[0] == 0:
        return None
    rows = np.concatenate([kept[:1] - 1, kept])
    return _growth(view, rms[rows], steps[rows])


def _from_the_start(view: View) -> Sign | None:
    """The growth in the first steps, or in as many as a long memory adds up."""
    steps, rms = view.early_steps("weight_rms"), view.early("weight_rms")
    if _momentum(view) > _LONG_MEMORY:
        later = view.past_steps("weight_rms")[:, 1]
        kept = (later > steps[-1:].sum()) & (later <= 1 / (1 - _momentum(view)))
        steps = np.concatenate([steps, later[kept]])
        rms = np.concatenate([rms, view.past("weight_rms")[kept]])
    return _growth(view, rms, steps)


def _growth(view: View, rms: Floats, steps: Steps) -> Sign | None:
    """A sign if a kernel is over `growth` times as large as in the first of these records."""
    if not len(rms):
        return None
    limit, judged = view.limits["growth"], real_kernels(view, rms[0])
    # A kernel that began small only gets to its size; a square one usually begins at twice this.
    begun = np.fmax(rms[0], 0.5 * view.sizes("weight_rms") ** -0.25)
    growth = np.nan_to_num(np.where(judged, rms / begun, 0), posinf=0)
    over = np.flatnonzero((growth > limit).any(axis=1))
    if not len(over):
        return None
    row = int(growth.max(axis=0).argmax())
    reached = float((rms[:, row] / rms[0, row]).max())
    return _sign(view, row, reached, int(steps[1]), int(steps[over[0]]))


def _sign(view: View, row: int, reached: float, begin: int, step: int) -> Sign:
    name, limit = view.rows("weight_rms")[row].name, view.limits["growth"]
    head = f"Steps are too long: {{}} has grown to {number(reached)} times its size"
    return Sign(
        severity="warning",
        title=title(head, name),
        layers=(name,),
        onset=begin,
        evidence=(
            Evidence("size / size before", reached, limit, "", "weight_rms", step, name),
            *rate_and_fall(view, view.limits["jump_recovery"]),
        ),
        causes=likely_first(*_momentum_cause(view), *causes(view, Update(0.0, name, step, 0.0))),
        fixes=(*_lower_momentum(view), lower_learning_rate(view, 0.1)),
        harmless="The loss falls all the same: the model needs larger weights than it began with.",
        check="In 50 steps no kernel grows to more than twice its size, and the loss falls.",
    )


def _momentum_cause(view: View) -> tuple[Cause, ...]:
    """Momentum as a cause: likely when the steps that it adds up are long."""
    momentum, rate = _momentum(view), view.scalar("learning_rate", "max")
    if not momentum > _LONG_MEMORY:
        return ()
    length = f"as long as those of a learning rate of {number(rate / (1 - momentum))}"
    support = f"the optimizer: steps add up until they are {length}"
    return (Cause(f"the momentum of {momentum:g} is too high", "likely", support),)


def _lower_momentum(view: View) -> tuple[Fix, ...]:
    if not _momentum(view) > _LONG_MEMORY:
        return ()
    name = optimizer_class(view) or "SGD"
    code = f"optimizer = keras.optimizers.{name}(learning_rate, momentum=0.9)"
    return (Fix("Lower the momentum to 0.9.", code),)


def _momentum(view: View) -> float:
    return float(view.facts.get("momentum", 0.0))
