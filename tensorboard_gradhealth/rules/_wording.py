"""The parts of messages that all rules share: names, numbers, and code to paste."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.types import Cause, Evidence, Fix

TITLE_LENGTH = 80

_OPTIMIZERS = (
    "Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "Ftrl", "Lamb", "Lion",
    "Muon", "Nadam", "RMSprop", "SGD",
)  # fmt: skip

ADAPTIVE = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Lion")
"""Optimizers whose steps have about the length of the learning rate, whatever the gradient."""


def quoted(name: str, room: int = 40) -> str:
    """The user's name in backticks, its middle left out where it is longer than `room`."""
    plain = "".join(c if c.isprintable() and c != "`" else "?" for c in name)
    if len(plain) > room:
        kept = max(room - 3, 2)
        plain = plain[: kept // 2] + "..." + plain[len(plain) - (kept - kept // 2) :]
    return f"`{plain}`"


def title(template: str, name: str, others: int = 0, kind: str = "") -> str:
    """Fills `{}` of the template with the name, and with how many others share its fate.

    `kind` says what the others are, in the singular. The name is shortened so that the title stays
    within `TITLE_LENGTH` characters.
    """
    what = f" {kind}{'s' * (others > 1)}" if kind else ""
    more = f" and {others} more{what}" if others else ""
    room = TITLE_LENGTH - len(template.format("``" + more))
    return template.format(quoted(name, room) + more)


def number(value: float) -> str:
    """Three significant digits, as short as they can be read: 3.1e-09, 0.94, 310, 12000."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = 3 if abs(value) < 1000 else 0
        return f"{value:.{digits}g}" if digits else f"{value:.0f}"
    return f"{value:.1e}"


def percent(share: float) -> str:
    """A share as a percentage with at most three digits."""
    return f"{100 * share:.3g} %" if abs(share) < 10 else f"{100 * share:.0f} %"


def shown(text: str, damage: Sequence[Evidence]) -> Cause:
    """A cause that is likely if some damage is seen, of which the first is its support."""
    if not damage:
        return Cause(text)
    first = damage[0]
    return Cause(text, "likely", f"{first.signal}: {first.label} {number(first.value)}")


def optimizer_class(view: View) -> str:
    """Name of the Keras class of the run's optimizer; "" if unknown."""
    given = str(view.facts.get("optimizer", "")).lower()
    return next((name for name in _OPTIMIZERS if name.lower() == given), "")


def lower_learning_rate(view: View, factor: float) -> Fix:
    """Advises the present learning rate times `factor`, rounded to 1, 2 or 5 times 10 ** n."""
    rate = view.scalar("learning_rate", "max")
    if not (math.isfinite(rate) and rate > 0 and 0 < factor < 1):
        return Fix("Divide the learning rate by 10 until the loss falls steadily.")
    lower = min(_rounded(rate * factor), rate / 2)
    name = optimizer_class(view)
    code = (
        f"optimizer = keras.optimizers.{name}(learning_rate={lower:.3g})"
        if name
        else f"optimizer.learning_rate = {lower:.3g}"
    )
    return Fix(f"Lower the learning rate from {number(rate)} to about {lower:.3g}.", code)


def decay_code(view: View, optimizer: str = "Adam", steps: str = "decay_steps") -> str:
    """The run's optimizer, or else this one, with a learning rate that decays over the steps."""
    return (
        f"schedule = keras.optimizers.schedules.CosineDecay(learning_rate, {steps})\n"
        f"optimizer = keras.optimizers.{optimizer_class(view) or optimizer}(schedule)"
    )


def _rounded(value: float) -> float:
    """The nearest of 1, 2 and 5 times a power of ten, by ratio."""
    power = 10.0 ** math.floor(math.log10(value))
    nearest = min((1, 2, 5, 10), key=lambda digit: abs(math.log(value / (digit * power))))
    return nearest * power
