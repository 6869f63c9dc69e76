"""HTML as values: whatever is not `Markup` is text of a stranger, and is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

Attribute = str | int | float | None
Content = str | None | Iterable[str | None]

_VOID = ("img", "meta", "rect", "line", "path", "use", "circle")

_NOT_IN_HTML = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)

_ADDRESS = re.compile(r"(https?://[^\s)>\]]+)")


class Markup(str):
    """HTML that is written as it is."""

    __slots__ = ()


def element(name: str, /, *contents: Content, **attributes: Attribute) -> Markup:
    """Returns an element.

    Args:
      name: Of the tag.
      contents: Text, `Markup`, or lists of them; None is left out.
      attributes: `class_` stands for `class`, `_` for `-`; None leaves one out.
    """
    opened = "".join([f"<{name}", *map(_attribute, attributes.items()), ">"])
    if name in _VOID:
        return Markup(opened[:-1] + "/>")
    return Markup(f"{opened}{joined(*contents)}</{name}>")


def joined(*contents: Content) -> Markup:
    """Returns the contents one after the other, text escaped."""
    return Markup("".join(map(_escaped, contents)))


def marked(text: str) -> Markup:
    """Returns text with the names in backticks as code; a name's direction stays its own."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one without a partner is a plain character
        parts[-2:] = ["`".join(parts[-2:])]
    return joined(*(code(part) if odd % 2 else part for odd, part in enumerate(parts)))


def code(name: str) -> Markup:
    """Returns a name of the user."""
    return element("code", name, dir="auto")


def linked(text: str) -> Markup:
    """Returns text whose web addresses, and nothing else, are links."""
    parts = _ADDRESS.split(text)
    return joined(
        *(
            element("a", part, href=part, rel="noreferrer noopener") if odd % 2 else marked(part)
            for odd, part in enumerate(parts)
        )
    )


def _attribute(item: tuple[str, Attribute]) -> str:
    name, value = item
    if value is None:
        return ""
    return f' {name.rstrip("_").replace("_", "-")}="{html.escape(_clean(str(value)))}"'


def _escaped(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return html.escape(_clean(content), quote=False)
    return "".join(map(_escaped, content))


def _clean(text: str) -> str:
    """Some characters cannot be in a page, and half a surrogate pair not even in a file."""
    return _NOT_IN_HTML.sub("\ufffd", text)
