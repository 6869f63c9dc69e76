"""One writer per log directory: two trainings in one would replace each other's steps.

The lock is one of the operating system, on an empty file, so that it goes with the process however
that ends. Where the file system has no such locks (most remote ones), nothing is locked.
"""

from __future__ import annotations

import errno
import io
import os
import socket
import weakref

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".gradhealth.lock"

_HELD = (errno.EACCES, errno.EAGAIN)


class InUseError(OSError):
    """Another training writes to the directory; the message says which."""


class DirectoryLock:
    """The right to write to a log directory, held from `acquire` to `release`.

    Within a process the last one to ask for it gets it, and the one before is refused from then on:
    a training that was interrupted, in a notebook, say, does not know that it is over.
    """

    def __init__(self, log_dir: str) -> None:
        self._log_dir = log_dir
        self._key = os.path.realpath(log_dir)
        self._file: io.FileIO | None = None
        self._refused = False

    def acquire(self) -> None:
        """Takes the directory, unless this one has it already.

        Raises:
          InUseError: Another process has it, or another writer of this process has taken it.
        """
        if self._refused:
            raise InUseError(
                "a newer training of this process writes to it. "
                "Give each callback a log directory of its own"
            )
        holder = _holders.get(self._key)
        if holder is self:
            return
        if holder is None:
            self._file = _lock(os.path.join(self._log_dir, LOCK_FILE))
        else:
            self._file, holder._file, holder._refused = holder._file, None, True
        _holders[self._key] = self

    def release(self) -> None:
        """Lets others have the directory."""
        if _holders.get(self._key) is self:
            del _holders[self._key]
            if self._file is not None:
                self._file.close()
                self._file = None


_holders: weakref.WeakValueDictionary[str, DirectoryLock] = weakref.WeakValueDictionary()
"""Who has which directory in this process: locks of the system do not tell its threads apart."""


def _lock(path: str) -> io.FileIO | None:
    if fcntl is None:
        return None
    try:
        file = io.FileIO(path, "a+")
    except OSError:  # a remote path, or the file of another user: whether we may write shows later
        return None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
    except OSError as error:
        file.seek(0)
        holder = file.read(200).decode(errors="replace")
        file.close()
        if error.errno not in _HELD:
            return None
        raise InUseError(
            f"{holder or 'another process'} writes to it. "
            "Give each training a log directory of its own"
        ) from error
    return file
