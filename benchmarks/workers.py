"""Whether two workers are recorded as one with the joint batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.training.everywhere.test_distribution import OF_THE_WHOLE_STEP, result, start, workers


def compare_workers(folder: Path) -> None:
    """Trains both, each worker in a process of its own, and prints how far their signals differ."""
    one = result(start("custom_loop", "one", str(folder / "one")))["signals"]
    chief, _ = workers(str(folder / "two"))
    print("\n## Two workers beside one with the joint batch\n\n| signal | largest difference |")
    print("|---|---|")
    for signal in OF_THE_WHOLE_STEP:
        ours, theirs = np.asarray(chief["signals"][signal]), np.asarray(one[signal])
        size = np.maximum(np.abs(theirs), np.finfo(np.float32).tiny)  # a new bias is 0
        print(f"| {signal} | {np.max(np.abs(ours - theirs) / size):.1e} |")
