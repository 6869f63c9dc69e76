"""A TensorBoard that reads its log directory from its own memory, as it would from a bucket.

It takes the flags of TensorBoard; `--logdir` is `ram://PATH`, a file system of TensorFlow, or
`memory://PATH`, one of fsspec, which TensorBoard uses where TensorFlow is not installed. The event
files below PATH on this machine are copied there first.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any


def file_systems(protocol: str) -> Any:
    """Returns what TensorBoard opens files with, by which it reads this protocol."""
    if protocol == "memory":
        # With this module, which a build may have, TensorBoard leaves TensorFlow alone.
        sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")
    from tensorboard.compat import tf

    return tf.io.gfile


def main() -> None:
    """Copies the event files, and serves them."""
    from tensorboard import main as tensorboard

    log_dir = sys.argv[sys.argv.index("--logdir") + 1]
    protocol, _, path = log_dir.partition("://")
    gfile = file_systems(protocol)
    for source in Path(path).rglob("*tfevents*"):
        gfile.makedirs(f"{protocol}://{source.parent}")
        with gfile.GFile(f"{protocol}://{source}", "wb") as target:
            target.write(source.read_bytes())
        source.unlink()  # whoever still finds it has read it there
    tensorboard.run_main()


if __name__ == "__main__":
    main()
