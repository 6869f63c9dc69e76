"""Tries the package beside other versions of what it works with. See `__main__`."""
