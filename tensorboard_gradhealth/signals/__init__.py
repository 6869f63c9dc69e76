"""The signals: one file each, found by walking this package."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterable

from tensorboard_gradhealth.signals._base import Cost, Signal

PRESETS: dict[str, tuple[Cost, ...]] = {"light": ("light",), "standard": ("light", "standard")}
"""Which costs each preset pays."""


@functools.cache
def all_signals() -> tuple[Signal, ...]:
    """Returns every signal, ordered by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names if name[0] != "_")
    signals = (module.SIGNAL for module in modules)
    return tuple(sorted(signals, key=lambda signal: signal.spec.name))


def preset_signals(preset: str) -> tuple[Signal, ...]:
    """Returns the signals of a preset.

    Raises:
      ValueError: There is no such preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"Unknown preset {preset!r}. Accepted: {_quoted(PRESETS)}.")
    return tuple(signal for signal in all_signals() if signal.cost in PRESETS[preset])


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
