"""Event files that are cut off or damaged: what comes before the damage is there."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from tensorboard_gradhealth.storage.reader import UnknownName, UnreadableRun
from tensorboard_gradhealth.storage.writer import RunWriter
from tests.effort import effort
from tests.logs import info, read_run, record, write_run

Property = Callable[[str, object], None]


def steps(log_dir: Path) -> list[int]:
    return [int(step) for step in read_run(log_dir).series("loss").steps]


def event_file(log_dir: Path) -> Path:
    [path] = log_dir.glob("*tfevents*")
    return path


def test_a_file_cut_at_any_byte_of_its_last_record_holds_all_others(
    tmp_path: Path, record_property: Property
) -> None:
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    for step in range(9):
        writer.write_record(record(step, step + 1))
    path = event_file(tmp_path)
    begin = path.stat().st_size
    writer.write_record(record(9, 10))
    writer.close()
    whole = path.read_bytes()
    assert steps(tmp_path) == list(range(10))
    for end in range(begin, len(whole)):
        path.write_bytes(whole[:end])
        assert steps(tmp_path) == list(range(9)), end
    record_property("faults injected", len(whole) - begin)


def test_a_run_goes_on_behind_a_record_that_was_cut(
    tmp_path: Path, record_property: Property
) -> None:
    write_run(tmp_path, range(10))
    path = event_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-50])
    write_run(tmp_path, range(9, 15))
    assert steps(tmp_path) == list(range(15))
    record_property("faults injected", 1)


@pytest.mark.parametrize(
    "kind", ["one bit", "zeros", "noise", "a piece is missing", "a piece twice"]
)
def test_garbage_in_the_middle_is_never_worse_than_the_end_of_the_file(
    kind: str, tmp_path: Path, record_property: Property
) -> None:
    write_run(tmp_path, range(20))
    path = event_file(tmp_path)
    whole = path.read_bytes()
    chance = random.Random(kind)  # noqa: S311
    tries = effort(60, 1000)
    for _ in range(tries):
        path.write_bytes(damaged(whole, kind, chance))
        try:
            run = read_run(tmp_path)
            found = [item.step for item in run.records()]
            run.findings(), run.flights()
        except (UnreadableRun, UnknownName):
            continue  # it is said why; anything else that is raised fails this test
        assert len(found) <= 21
    path.write_bytes(whole)
    assert steps(tmp_path) == list(range(20))
    record_property("faults injected", tries)


def damaged(whole: bytes, kind: str, chance: random.Random) -> bytes:
    at = chance.randrange(len(whole))
    length = chance.randrange(1, 200)
    before, piece, after = whole[:at], whole[at : at + length], whole[at + length :]
    if kind == "one bit":
        return before + bytes([piece[0] ^ 1 << chance.randrange(8)]) + piece[1:] + after
    if kind == "zeros":
        return before + bytes(len(piece)) + after
    if kind == "noise":
        return before + chance.randbytes(len(piece)) + after
    return before + after if kind == "a piece is missing" else before + 2 * piece + after


@pytest.mark.parametrize("length", [2**31 + 1, 2**62])
def test_a_record_that_claims_to_be_gigantic_ends_the_file(
    length: int, tmp_path: Path, record_property: Property
) -> None:
    write_run(tmp_path, range(5))
    claim = struct.pack("<Q", length)
    with open(event_file(tmp_path), "ab") as file:
        file.write(claim + struct.pack("<I", masked_crc32c(claim)) + b"and little more")
    assert steps(tmp_path) == list(range(5))
    record_property("faults injected", 1)


def test_other_files_beside_the_log_are_left_alone(
    tmp_path: Path, record_property: Property
) -> None:
    write_run(tmp_path, range(5))
    (tmp_path / "notes.txt").write_text("not ours")
    (tmp_path / "events.out.tfevents.0.empty").write_bytes(b"")
    (tmp_path / "events.out.tfevents.1.noise").write_bytes(bytes(range(256)) * 20)
    assert steps(tmp_path) == list(range(5))
    record_property("faults injected", 2)
