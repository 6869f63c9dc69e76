"""What was read or computed, kept for as long as there is room for it."""

from __future__ import annotations

import collections
import dataclasses
import mmap
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Room: TypeAlias = bytearray | mmap.mmap

DEFAULT_BYTES = 512 * 2**20

_LARGE, _HUGE = 2**20, 2**26


def room_for(size: int) -> Room:
    """Returns so many bytes to write into, all 0.

    Large ones come from the system and go back to it with the last reference. The allocator would
    keep them: freed blocks of all sizes, between those in use, are what a server grows by. Nor does
    it hand out memory that is there at once; page by page, a first touch takes twice as long. (Huge
    pages, for which NumPy asks, are worse: a virtual machine waits four times as long for them.)
    Of huge ones there is only what is written: a damaged log may ask for more than the machine has.
    """
    if size < _LARGE:
        return bytearray(size)
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    at_once = getattr(mmap, "MAP_POPULATE", 0) if size <= _HUGE else 0
    return mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | at_once)


@dataclasses.dataclass(frozen=True, slots=True)
class _Item:
    state: Hashable
    value: Any
    size: int


class Memory:
    """Values by key; those that were used least recently go when all take too many bytes.

    Safe for use by several threads: of those that want one key at once, one makes the value.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._items: collections.OrderedDict[Hashable, _Item] = collections.OrderedDict()
        self._lock = threading.Lock()
        # Locks can be referred to weakly: one is gone with the last thread that wants its key.
        self._making: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()

    def get(
        self,
        key: Hashable,
        state: Hashable,
        make: Callable[[T | None], T],
        size: Callable[[T], int],
    ) -> T:
        """Returns the value of a key, made anew if it is unknown or of another state.

        Args:
          key: Its name. A `make` may ask for other keys, but never for one that asks for this.
          state: What the value was made of, as something to compare.
          make: Gets the value of the state before, to build on, or None.
          size: Bytes that a value takes.
        """
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            item = self._find(key)
            if item is None or item.state != state:
                value = make(item.value if item else None)
                item = _Item(state, value, size(value))
                self._keep(key, item)
            found: T = item.value
            return found

    def _find(self, key: Hashable) -> _Item | None:
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)

    def _keep(self, key: Hashable, item: _Item) -> None:
        with self._lock:
            before = self._items.pop(key, None)
            self._bytes += item.size - (before.size if before else 0)
            self._items[key] = item
            while self._bytes > self._max_bytes:
                _, oldest = self._items.popitem(last=False)
                self._bytes -= oldest.size
