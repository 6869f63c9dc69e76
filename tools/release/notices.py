"""Writes THIRD_PARTY_NOTICES, which goes out with the bundle: whose code is in it, on what terms.

`python -m tools.release.notices` writes the file, after `make frontend`.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / "frontend"
FILE = ROOT / "THIRD_PARTY_NOTICES"

ACCEPTED = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

_HEAD = """tensorboard_gradhealth/static/index.js contains code of the packages below.
Written by tools/release/notices.py; do not edit.
"""


def bundled() -> list[str]:
    """Returns the names of the npm packages that have code in the bundle, as esbuild sees it."""
    with tempfile.TemporaryDirectory() as folder:
        meta = Path(folder) / "meta.json"
        options = ["--bundle", "--format=esm", "--jsx=automatic", "--jsx-import-source=preact"]
        outputs = [f"--metafile={meta}", f"--outfile={folder}/index.js", "--loader:.css=text"]
        subprocess.run(
            [FRONTEND / "node_modules/.bin/esbuild", "src/index.ts", *options, *outputs],
            cwd=FRONTEND,
            check=True,
            capture_output=True,
        )
        inputs = json.loads(meta.read_text("utf-8"))["inputs"]
    found = (re.match(r"node_modules/((?:@[^/]+/)?[^/]+)/", path) for path in inputs)
    return sorted({match[1] for match in found if match})


def notices() -> str:
    """Returns the text of the file.

    Raises:
      ValueError: A package is under a licence that is not accepted.
    """
    return "\n".join([_HEAD, *(_notice(name) for name in bundled())])


def _notice(name: str) -> str:
    folder = FRONTEND / "node_modules" / name
    package = json.loads((folder / "package.json").read_text("utf-8"))
    licence = package.get("license", "")
    if licence not in ACCEPTED:
        raise ValueError(f"{name} is under {licence!r}; accepted are {', '.join(sorted(ACCEPTED))}")
    [terms] = folder.glob("LICENSE*")
    line = "-" * 80
    return f"{line}\n{name} {package['version']}\n\n{terms.read_text('utf-8').strip()}\n"


if __name__ == "__main__":
    FILE.write_text(notices(), "utf-8")
