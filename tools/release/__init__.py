"""Checks what would be released. See `__main__`."""
