"""Watching changes nothing: final weights are the same, byte by byte."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.effort import of_users


@pytest.mark.slow
@pytest.mark.timeout(1800)  # on a busy machine, too
def test_final_weights_are_bit_identical_everywhere() -> None:
    command = [sys.executable, "-m", "tests.training.bit_identity", "everywhere"]
    result = subprocess.run(command, env=of_users(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
