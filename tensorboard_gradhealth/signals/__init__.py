"""The signals: one file each, found by walking this package."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterable, Sequence

from tensorboard_gradhealth.signals._base import Cost, Signal

PRESETS: dict[str, tuple[Cost, ...]] = {
    "light": ("light",),
    "standard": ("light", "standard"),
    "full": ("light", "standard", "full"),
}
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


def named_signals(names: Sequence[str]) -> tuple[Signal, ...]:
    """Returns the signals of these names.

    Raises:
      ValueError: One of them does not exist, or there is none.
    """
    known = {signal.spec.name: signal for signal in all_signals()}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f"Unknown signals {unknown}. Accepted: {_quoted(known)}.")
    return tuple(known[name] for name in known if name in names)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
