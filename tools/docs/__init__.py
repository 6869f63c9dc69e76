"""Writes the pages of docs/ that are made from the sources: `python -m tools.docs`."""
