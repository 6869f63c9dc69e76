"""Holds the pages below docs/ against what they ought to be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath


def stale(docs: Path, expected: Mapping[str, str]) -> list[str]:
    """Returns the paths of the pages that are missing, differ, or should not be there.

    In a folder below `docs` that holds an expected page, no others should be.
    """
    folders = {PurePosixPath(name).parent for name in expected} - {PurePosixPath()}
    pages = {path for folder in folders for path in (docs / folder).glob("*.md")}
    names = {*expected, *(path.relative_to(docs).as_posix() for path in pages)}
    return sorted(name for name in names if _text(docs / name) != expected.get(name))


def write(docs: Path, expected: Mapping[str, str]) -> None:
    """Makes the pages what they ought to be."""
    for name in stale(docs, expected):
        path = docs / name
        if name not in expected:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(expected[name], "utf-8")


def _text(page: Path) -> str | None:
    return page.read_text("utf-8") if page.is_file() else None
