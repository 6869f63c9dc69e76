"""The version of this package, in one place; setup.py reads it without importing the package."""

VERSION = "0.1.0"
