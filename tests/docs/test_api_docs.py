"""How docstrings become the page docs/api.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.docs import api

INIT = """
from package.home import Watcher, watch
from package import tools

__all__ = ["LIMIT", "Watcher", "tools", "watch"]
"""
HOME = '''
class _Base:
    def __init__(self, path: str, *, every: int = 10) -> None: ...


class Watcher(_Base):
    """Watches.

    Attributes:
      found: What was found,
        so far.
    """

    @property
    def open(self) -> bool:
        """Whether it is."""

    def close(self, *, quietly: bool = False) -> None:
        """Ends it."""

    def inner(self) -> None:
        pass


def watch(*paths: str) -> int:
    """Returns how many.

    >>> watch("a")  # doctest: +SKIP
    1

    Raises:
      OSError: A path is not there,
        or cannot be read.
    """
'''
TOOLS = '"""Tools for it."""\n\n__all__ = []\n'


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    write(tmp_path, HOME)
    monkeypatch.setattr(api, "ROOT", tmp_path)
    monkeypatch.setattr(api, "PACKAGE", "package")
    return api.pages()["api.md"]


def write(folder: Path, home: str) -> None:
    (folder / "package").mkdir(exist_ok=True)
    for name, text in {"__init__": INIT, "home": home, "tools": TOOLS}.items():
        (folder / "package" / f"{name}.py").write_text(text, "utf-8")


def test_a_class_shows_the_arguments_of_the_constructor_that_it_inherits(page: str) -> None:
    assert "Watcher(path: str, *, every: int = 10)" in page


def test_methods_with_a_docstring_are_shown_and_no_others(page: str) -> None:
    assert "### `.open`\n\nWhether it is." in page
    assert "### `.close(*, quietly: bool = False)`\n\nEnds it." in page
    assert "inner" not in page


def test_sections_become_lists_of_one_line_each(page: str) -> None:
    assert "**Attributes**\n\n- `found`: What was found, so far." in page
    assert "**Raises**\n\n- `OSError`: A path is not there, or cannot be read." in page


def test_examples_are_fenced_without_directives(page: str) -> None:
    assert '```pycon\n>>> watch("a")\n1\n```' in page


def test_modules_come_after_what_is_in_the_package_itself(page: str) -> None:
    assert page.index("`gradhealth.watch`") < page.index("## `gradhealth.tools`\n\nTools for it.")


def test_what_is_exported_must_have_a_docstring(page: str, tmp_path: Path) -> None:
    write(tmp_path, "class Watcher: ...\n\n\ndef watch(): ...\n")
    with pytest.raises(ValueError, match=r"gradhealth\.Watcher is exported and has no docstring"):
        api.pages()["api.md"]
