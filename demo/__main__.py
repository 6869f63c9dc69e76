"""Trains the gallery and opens TensorBoard on it: `python -m demo`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def train(log_dir: Path, seed: int, everything: bool = False) -> None:
    """Trains every run of the gallery, or all there are, each into a directory below `log_dir`."""
    import keras

    import tensorboard_gradhealth as gradhealth
    from demo.gallery import MORE, RUNS

    chosen = RUNS + MORE if everything else RUNS

    for number, run in enumerate(chosen, 1):
        started = time.monotonic()
        print(f"[{number:2}/{len(chosen)}] {run.name:25} {run.story}", flush=True)
        shutil.rmtree(log_dir / run.name, ignore_errors=True)
        keras.backend.clear_session()  # so that every run starts again with the layer `dense`
        callback = gradhealth.HealthCallback(log_dir / run.name, verbose=0, **run.options)
        run.train([callback], seed)
        print(f"{'':8}{time.monotonic() - started:4.1f} s: {verdict(callback)}", flush=True)


def verdict(callback: Any) -> str:
    """Returns the root causes in short; what is only worth knowing is no illness."""
    roots = [finding for finding in callback.findings if not finding.caused_by]
    ill = [f"{root.code} {root.rule}" for root in roots if root.severity != "info"]
    notes = [root.rule for root in roots if root.severity == "info"]
    return (", ".join(ill) or "healthy") + (f" (info: {', '.join(notes)})" if notes else "")


def serve(log_dir: Path, port: int) -> int:
    """Runs TensorBoard on `log_dir` until it is interrupted."""
    print(f"\nTensorBoard on {log_dir} - open the Gradient Health tab. Stop with Ctrl+C.\n")
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(log_dir)]
    try:
        return subprocess.call([*command, "--port", str(port), "--reload_interval", "5"])
    except KeyboardInterrupt:
        return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--logdir", type=Path, default=Path("demo_logs"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=6006, help="0 picks a free one")
    parser.add_argument("--train-only", action="store_true", help="do not start TensorBoard")
    parser.add_argument("--all", action="store_true", help="train more illnesses, too")
    options = parser.parse_args()
    train(options.logdir, options.seed, options.all)
    return 0 if options.train_only else serve(options.logdir, options.port)


if __name__ == "__main__":
    sys.exit(main())
