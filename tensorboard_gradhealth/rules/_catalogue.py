"""Finds the rules: every module of this package that exports `RULE` is one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path

from tensorboard_gradhealth.rules._base import Rule

_PACKAGE = "tensorboard_gradhealth.rules"


def discover() -> tuple[Rule, ...]:
    """Imports all rules.

    Returns:
      The rules in the order of their codes, which is causal.

    Raises:
      ValueError: As for `validate`.
    """
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    names = [module.name for module in found if not module.name.startswith("_")]
    rules = [importlib.import_module(f"{_PACKAGE}.{name}").RULE for name in names]
    validate(rules)
    return tuple(sorted(rules, key=lambda rule: rule.code))


def validate(rules: Sequence[Rule]) -> None:
    """Checks what no rule can check alone.

    Raises:
      ValueError: Two rules share a name or a code, or a rule refers to one that is not there.
    """
    names = [rule.name for rule in rules]
    for values in (names, [rule.code for rule in rules]):
        shared = sorted({value for value in values if values.count(value) > 1})
        if shared:
            raise ValueError(f"more than one rule is called {', '.join(shared)}")
    for rule in rules:
        unknown = sorted({*rule.explained_by, *rule.inhibited_by} - set(names))
        if unknown:
            raise ValueError(f"rule {rule.name!r} refers to unknown rules: {', '.join(unknown)}")


RULES = discover()
"""All rules, in causal order."""
