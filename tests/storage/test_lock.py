"""One training per log directory, and no lock that outlives its process."""

from __future__ import annotations

import errno
import gc
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tensorboard_gradhealth.storage import lock
from tensorboard_gradhealth.storage.writer import LogDirError, RunWriter
from tests.logs import read_run, record

WRITE_AND_WAIT = """
import sys, time
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Record
writer = RunWriter(sys.argv[1])
writer.write_record(Record(0, 0, {}))
writer.flush()
print("writing", flush=True)
if sys.argv[2] == "pause":
    writer.pause()
    print("paused", flush=True)
time.sleep(60)
"""


def start(log_dir: Path, until: str = "writing") -> subprocess.Popen[str]:
    """Starts another process that writes to the directory and then hangs."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_WAIT, str(log_dir), "pause" if until == "paused" else ""],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while process.stdout.readline().strip() != until:
        assert process.poll() is None
    return process


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_second_process_is_refused_and_told_where_and_by_whom(tmp_path: Path) -> None:
    other = start(tmp_path)
    try:
        who = f"{re.escape(str(tmp_path))}.*process {other.pid} on .* directory of its own"
        with pytest.raises(LogDirError, match=who):
            RunWriter(tmp_path)
        assert len(list(tmp_path.glob("*tfevents*"))) == 1
    finally:
        stop(other)


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    stop(start(tmp_path))
    writer = RunWriter(tmp_path)
    writer.write_record(record(1))
    writer.close()
    assert read_run(tmp_path).kept == 2


def test_a_training_that_is_over_lets_other_processes_write(tmp_path: Path) -> None:
    other = start(tmp_path, until="paused")
    try:
        RunWriter(tmp_path).close()
    finally:
        stop(other)


def test_a_writer_that_paused_is_refused_while_another_process_writes(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    other = start(tmp_path)
    try:
        with pytest.raises(LogDirError, match=f"process {other.pid}"):
            writer.write_record(record(1))
    finally:
        stop(other)
    writer.write_record(record(1))
    writer.close()


def test_writers_of_one_process_may_take_turns(tmp_path: Path) -> None:
    first, second = RunWriter(tmp_path), RunWriter(tmp_path)
    for step, writer in enumerate((first, second, first)):
        writer.write_record(record(step))
        writer.pause()
    assert read_run(tmp_path).kept == 3


def test_a_newer_writer_of_the_process_takes_over_for_good(tmp_path: Path) -> None:
    interrupted, again = RunWriter(tmp_path), RunWriter(tmp_path)
    interrupted.write_record(record(0))
    again.write_record(record(0))
    again.pause()
    with pytest.raises(LogDirError, match="newer training of this process"):
        interrupted.write_record(record(1))
    again.close()


def test_a_writer_that_was_dropped_holds_nothing(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.write_record(record(0))
    del writer
    gc.collect()
    stop(start(tmp_path))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_written_without(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, "no locks here")

    monkeypatch.setattr(lock.fcntl, "lockf", refuse)
    writer = RunWriter(tmp_path)
    writer.write_record(record(0))
    writer.close()
    assert read_run(tmp_path).kept == 1


def test_a_path_that_is_not_of_this_machine_is_not_locked() -> None:
    remote = lock.DirectoryLock("gs://bucket/run")
    remote.acquire()
    remote.release()
    assert not Path("gs:").exists()


def test_the_lock_file_is_no_run(tmp_path: Path) -> None:
    RunWriter(tmp_path / "run").close()
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert lock.LOCK_FILE in names
    assert len(names) == 2
