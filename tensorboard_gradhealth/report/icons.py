"""Marks that differ in shape as well as in colour, drawn once and used by name."""

from __future__ import annotations

from tensorboard_gradhealth.report.markup import Markup, element

_SHAPES = {
    "error": (
        ("fill", "M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z"),
        ("ink", "m5.3 5.3 5.4 5.4m0-5.4-5.4 5.4"),
    ),
    "warning": (
        ("fill", "M8 1.2q.8 0 1.1.7l6 11q.6 1.6-1.1 1.8H2q-1.7-.2-1.1-1.8l6-11q.3-.7 1.1-.7z"),
        ("ink", "M8 5.6v4m0 2.5v.1"),
    ),
    "info": (("fill", "M8 1a7 7 0 1 1 0 14A7 7 0 1 1 8 1z"), ("ink", "M8 7.4v4M8 4.8v.1")),
    "healthy": (
        ("fill", "M8 1a7 7 0 1 1 0 14A7 7 0 1 1 8 1z"),
        ("ink", "m4.9 8.3 2.2 2.2 4.1-4.8"),
    ),
    "recovered": (
        ("line", "M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 1 1 8 1.8z"),
        ("line", "m5 8.3 2.1 2.1 3.9-4.6"),
    ),
    "unknown": (("line dashed", "M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 1 1 8 1.8z"),),
    "unreadable": (
        ("line", "M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 1 1 8 1.8z"),
        ("line", "M3.8 12.2 12.2 3.8"),
    ),
}


def icon(mark: str) -> Markup:
    """Returns a mark; it stands beside a word that says the same, and is silent."""
    use = element("use", href=f"#icon-{mark}")
    return element("svg", use, class_=f"icon {mark}", viewBox="0 0 16 16", aria_hidden="true")


def definitions() -> Markup:
    """Returns the shapes, once per page."""
    symbols = [
        element(
            "symbol",
            [element("path", class_=kind, d=path) for kind, path in shape],
            id=f"icon-{name}",
            viewBox="0 0 16 16",
        )
        for name, shape in _SHAPES.items()
    ]
    return element("svg", symbols, class_="definitions", aria_hidden="true")
