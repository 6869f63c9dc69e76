"""The only place of the report where numbers, steps and times become text; as in the tab."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any


def number(value: float, digits: int = 3) -> str:
    """A measured number in about that many significant digits; what is not finite is said."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "\u2212Inf"
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-2 or size >= 1e5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return _minus(f"{float(mantissa):g}e{int(exponent)}")
    if size >= 100 or float(value).is_integer():
        return _minus(f"{value:,.0f}")
    return _minus(f"{value:.{digits}g}")


def quantity(value: float, unit: str = "", signal: str = "") -> str:
    """A number with its unit; the values of signals that are shares are in percent."""
    if signal.endswith("_fraction") and math.isfinite(value):
        return _minus(f"{100 * value:.3g} %")
    return f"{number(value)} {unit}" if unit and math.isfinite(value) else number(value)


def step(value: float) -> str:
    """A step: 12,000."""
    return f"{value:,.0f}"


def steps(first: int, last: int) -> str:
    """`step 4` or `steps 4-120`."""
    if first == last:
        return f"step {step(first)}"
    return f"steps {step(first)}\u2013{step(last)}"


def count(amount: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{amount:,} {noun}" + ("" if amount == 1 else "s")


def sentence_case(name: str) -> str:
    """`vanishing_gradients` becomes `Vanishing gradients`."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def size(elements: int) -> str:
    """A size that fits a narrow column: 950, 12.5k, 3.1M."""
    for limit, suffix in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if elements >= limit:
            return f"{elements / limit:.3g}{suffix}"
    return str(elements)


def fact(value: Any) -> str:
    """A value of a run's facts, which may be any JSON."""
    if isinstance(value, bool) or value is None:
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value, 6)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def moment(seconds: float) -> str:
    """A point in time, in UTC: a report is read elsewhere."""
    try:
        at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (OverflowError, OSError, ValueError):
        return "at an unknown time"
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _minus(text: str) -> str:
    """Only the sign of the number; an exponent keeps the hyphen, so that it can be pasted."""
    return "\u2212" + text[1:] if text.startswith("-") else text
