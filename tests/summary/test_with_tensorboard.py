"""What was logged call by call reaches the tab through both of TensorBoard's loaders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.summary import numpy_loop
from tests.tensorboard_process import tensorboard

pytestmark = pytest.mark.slow


def test_a_log_of_a_numpy_loop_is_shown_and_judged(
    tmp_path: Path, loader_flags: tuple[str, ...]
) -> None:
    numpy_loop.train(str(tmp_path / "run"), rate=0.01, bias=-20.0)
    with tensorboard(tmp_path, *loader_flags) as running:
        running.wait_for_runs("run")
        running.wait_for(lambda: running.run("run")["kept"] == 80 or None)
        dead = running.series("run", "dead_fraction")
        # 64 samples a step: with the eighth step, 512 of them were silent.
        np.testing.assert_array_equal(dead.values[0, 0], np.arange(80) >= 7)
        findings = running.run("run")["findings"]
        assert [finding["rule"] for finding in findings] == ["dead_units"]
