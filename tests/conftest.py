"""Fixtures that all tests share."""

from __future__ import annotations

import pytest


@pytest.fixture(params=[(), ("--load_fast=false",)], ids=["data_server", "in_process"])
def loader_flags(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Flags that select each of TensorBoard's two ways to load a log directory."""
    flags: tuple[str, ...] = request.param
    return flags
