"""Replaces methods on single instances, and takes every replacement back.

The wrapper is laid into the instance's `__dict__`, past its `__setattr__`, so that Keras neither
tracks nor saves it, and the class stays as it was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_MISSING = object()


class Patches:
    """A set of replaced methods that are put back together."""

    def __init__(self) -> None:
        self._undo: list[tuple[dict[str, Any], str, Any]] = []

    @property
    def made(self) -> bool:
        """Whether anything is replaced."""
        return bool(self._undo)

    def wrap(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        """Makes `owner.name(...)` call `wrapper(original, ...)`."""
        original = getattr(owner, name)
        attributes = vars(owner)
        self._undo.append((attributes, name, attributes.get(name, _MISSING)))

        @functools.wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            return wrapper(original, *args, **kwargs)

        attributes[name] = replacement

    def undo(self) -> None:
        """Puts every original back, the last replaced first."""
        while self._undo:
            attributes, name, before = self._undo.pop()
            if before is _MISSING:
                attributes.pop(name, None)
            else:
                attributes[name] = before
