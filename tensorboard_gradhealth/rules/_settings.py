"""Checks what users pass as `ignore` and `limits`, and says what there is when it is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from tensorboard_gradhealth.rules._base import Rule


def parse_ignore(
    ignore: Mapping[str, bool | str], rules: Sequence[Rule]
) -> dict[str, bool | re.Pattern[str]]:
    """Returns for every rule: True (off), False (on), or the pattern of the rows to pass over.

    Raises:
      ValueError: Not a rule, neither a bool nor a string, or not a regular expression.
    """
    _known(ignore, "rule", (rule.name for rule in rules), "ignore")
    return {rule.name: _ignored(rule.name, ignore.get(rule.name, False)) for rule in rules}


def merge_limits(
    limits: Mapping[str, Mapping[str, float]], rules: Sequence[Rule]
) -> dict[str, Mapping[str, float]]:
    """Returns the limits of every rule, the user's in place of the rule's own.

    Raises:
      ValueError: Not a rule, not one of its limits, or not a finite number.
    """
    _known(limits, "rule", (rule.name for rule in rules), "limits")
    return {rule.name: _merged(rule, limits.get(rule.name, {})) for rule in rules}


def _ignored(name: str, value: bool | str) -> bool | re.Pattern[str]:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(
            f"ignore[{name!r}] is {value!r}; accepted are True, False or a regular expression"
        )
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(
            f"ignore[{name!r}] = {value!r} is not a regular expression: {error}"
        ) from error


def _merged(rule: Rule, own: Mapping[str, float]) -> Mapping[str, float]:
    if not isinstance(own, Mapping):
        raise ValueError(
            f"limits[{rule.name!r}] is {own!r}; accepted is a dict of {_listed(rule.limits)}"
        )
    _known(own, "limit", rule.limits, f"limits[{rule.name!r}]")
    for name, value in own.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise ValueError(
                f"limits[{rule.name!r}][{name!r}] is {value!r}; accepted are finite numbers"
            )
    return {**rule.limits, **own}


def _known(given: Iterable[str], noun: str, names: Iterable[str], where: str) -> None:
    accepted = sorted(names)
    for name in given:
        if name not in accepted:
            raise ValueError(
                f"{where} names the unknown {noun} {name!r}; there is: {_listed(accepted)}"
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
