"""What may be in a distribution. `make release-check` looks into real ones."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools.release import archives, notices

INFO = "tensorboard_gradhealth-0.1.0.dist-info"
WHEEL = {
    **dict.fromkeys(archives.NEEDED, b""),
    "tensorboard_gradhealth/rules/dead_units.py": b"",
    **{f"{INFO}/{name}": b"" for name in ("METADATA", "RECORD", "entry_points.txt")},
    **{f"{INFO}/licenses/{name}": b"" for name in archives.LICENCES},
}


def wheel(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "x.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return path


def test_a_wheel_with_all_that_it_needs_is_taken(tmp_path: Path) -> None:
    assert archives.complaints(wheel(tmp_path, WHEEL)) == []


@pytest.mark.parametrize(
    "name",
    [
        "tests/test_x.py",
        "tensorboard_gradhealth/__pycache__/x.cpython-312.pyc",
        "tensorboard_gradhealth/static/index.js.map",
        "tensorboard_gradhealth/rules/x.py.orig",
        "frontend/src/index.ts",
    ],
)
def test_a_stray_file_is_told(name: str, tmp_path: Path) -> None:
    assert archives.complaints(wheel(tmp_path, {**WHEEL, name: b""})) == [f"stray: {name}"]


@pytest.mark.parametrize("name", archives.NEEDED)
def test_a_missing_file_is_told(name: str, tmp_path: Path) -> None:
    files = {other: body for other, body in WHEEL.items() if other != name}
    assert archives.complaints(wheel(tmp_path, files)) == [f"missing: {name}"]


def test_a_path_of_this_machine_is_told(tmp_path: Path) -> None:
    body = f"# {archives.ROOT}/x".encode()
    path = wheel(tmp_path, {**WHEEL, archives.BUNDLE: body})
    assert archives.complaints(path) == [f"names this machine: {archives.BUNDLE}"]


def test_a_source_distribution_is_read_without_its_root_folder(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("tensorboard_gradhealth-0.1.0/setup.py")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"ok"))
    assert archives.contents(path) == {"setup.py": b"ok"}


@pytest.mark.slow
def test_the_notices_are_of_what_is_in_the_bundle() -> None:
    """Needs the frontend's packages, which `make frontend` installs."""
    assert notices.FILE.read_text("utf-8") == notices.notices()
