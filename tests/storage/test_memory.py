"""Memory is bounded, follows the state of what it holds, and makes each value once."""

from __future__ import annotations

import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tensorboard_gradhealth.storage import memory as memory_module
from tensorboard_gradhealth.storage.memory import Memory, room_for


class Kitchen:
    """Makes arrays of ten bytes, and notes of which keys and after which values."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.made: list[tuple[Hashable, bool]] = []

    def ask(self, key: Hashable, state: Hashable = 0) -> np.ndarray:
        def make(before: np.ndarray | None) -> np.ndarray:
            self.made.append((key, before is not None))
            return np.zeros(10, np.uint8)

        return self.memory.get(key, state, make, lambda value: value.nbytes)


def test_a_value_is_made_once_per_state_and_built_on_the_one_before() -> None:
    kitchen = Kitchen(Memory())
    for state in (1, 1, 2, 2):
        kitchen.ask("a", state)
    assert kitchen.made == [("a", False), ("a", True)]


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 3 * 2**20 + 1])
def test_room_has_the_size_asked_for_and_can_be_written(size: int) -> None:
    numbers = np.frombuffer(room_for(size), np.uint8)
    assert (len(numbers), numbers.any()) == (size, False)
    numbers[:] = 1
    assert numbers.sum() == size


def test_room_that_is_not_written_takes_no_memory() -> None:
    """A damaged log can ask for a great deal in a few bytes."""
    program = "import resource; from tensorboard_gradhealth.storage.memory import room_for;"
    program += "usage = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
    program += "before = usage(); room = room_for(2**29); print(usage() / before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert float(done.stdout) < 2


def test_what_was_not_used_for_longest_goes_first() -> None:
    kitchen = Kitchen(Memory(max_bytes=20))
    for key in "ab" + "a" + "c":
        kitchen.ask(key)
    kitchen.made.clear()
    for key in "acb":
        kitchen.ask(key)
    assert kitchen.made == [("b", False)]


def test_what_was_dropped_takes_no_memory() -> None:
    kitchen = Kitchen(Memory(max_bytes=10))
    dropped = weakref.ref(kitchen.ask("a"))
    kitchen.ask("b")
    assert dropped() is None


def test_what_is_larger_than_the_memory_is_handed_out_and_not_kept() -> None:
    kitchen = Kitchen(Memory(max_bytes=9))
    assert kitchen.ask("a").nbytes == kitchen.ask("a").nbytes == 10
    assert kitchen.made == [("a", False), ("a", False)]


def test_a_value_that_shrank_makes_room() -> None:
    memory = Memory(max_bytes=20)
    for state, size in ((1, 20), (2, 5)):
        memory.get("a", state, lambda _, n=size: n, int)
    kitchen = Kitchen(memory)
    kitchen.ask("b")
    assert memory.get("a", 2, lambda _: 99, int) == 5


def test_threads_that_ask_at_once_wait_for_the_first_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory, made, waiting = Memory(), [], threading.Semaphore(0)

    class Lock:
        """Tells when somebody is about to wait for it."""

        def __init__(self) -> None:
            self._lock = threading.Lock()

        def __enter__(self) -> None:
            waiting.release()
            self._lock.acquire()

        def __exit__(self, *_: object) -> None:
            self._lock.release()

    monkeypatch.setattr(memory_module, "threading", types.SimpleNamespace(Lock=Lock))

    def make(_: int | None) -> int:
        made.append(1)
        assert all(waiting.acquire(timeout=60) for _ in range(8)), "not all wait for this one"
        return 7

    def ask(_: int) -> int:
        return memory.get("a", 0, make, lambda value: value)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [7] * 8
    assert made == [1]


def test_a_failure_is_not_kept() -> None:
    memory = Memory()
    failed = False
    try:
        memory.get("a", 0, lambda _: 1 // 0, lambda value: value)
    except ZeroDivisionError:
        failed = True
    assert failed
    assert memory.get("a", 0, lambda _: 7, lambda value: value) == 7
