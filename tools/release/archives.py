"""Builds the distributions from a clean copy of the sources, and looks into them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tools.matrix.environments import run

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "tensorboard_gradhealth"
BUNDLE = f"{PACKAGE}/static/index.js"
NEEDED = (BUNDLE, f"{PACKAGE}/py.typed", f"{PACKAGE}/storage/plugin_data_pb2.pyi")
LICENCES = ("LICENSE", "THIRD_PARTY_NOTICES")

_SOURCES = rf"{PACKAGE}/(\w+/)*\w+\.(py|pyi|proto|css)"
_OWN = rf"({_SOURCES}|{PACKAGE}/py\.typed|{PACKAGE}/static/index\.js)"
IN_WHEEL = rf"{_OWN}|tensorboard_gradhealth-[\w.]+\.dist-info/[\w./]+"
IN_SDIST = (
    rf"{_OWN}|_build/\w+\.py|tensorboard_gradhealth\.egg-info/[\w.-]+|PKG-INFO|LICENSE|MANIFEST\.in"
    r"|README\.md|THIRD_PARTY_NOTICES|pyproject\.toml|setup\.(py|cfg)"
)


def clean_copy(folder: Path) -> Path:
    """Copies what git knows, and what it would add, and nothing that was built."""
    listed = run("git", "-C", ROOT, "ls-files", "-co", "--exclude-standard").splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def build(sources: Path, out: Path, path: str) -> None:
    """Builds the source distribution, and the wheel from it, with the programs of `path`."""
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(sources)]
    result = subprocess.run(
        command, env={"PATH": path, **_surroundings()}, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ValueError(f"{result.stdout}\n{result.stderr}"[-1500:])


def contents(archive: Path) -> dict[str, bytes]:
    """Returns the files of a wheel or a source distribution by name, without its root folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(archive) as sdist:
        files = [(member, sdist.extractfile(member)) for member in sdist if member.isfile()]
        return {item.name.partition("/")[2]: file.read() for item, file in files if file}


def complaints(archive: Path) -> list[str]:
    """Returns what is missing in a distribution, or should not be in it."""
    files = contents(archive)
    pattern = IN_WHEEL if archive.suffix == ".whl" else IN_SDIST
    found = [f"stray: {name}" for name in files if not re.fullmatch(pattern, name)]
    found += [f"missing: {name}" for name in NEEDED if name not in files]
    for name in LICENCES:
        if not any(file.rpartition("/")[2] == name for file in files):
            found.append(f"missing: {name}")
    here = str(ROOT).encode()
    return found + [f"names this machine: {name}" for name, body in files.items() if here in body]


def digest(archive: Path, name: str) -> str:
    """Returns the SHA-256 of a file in a distribution."""
    return hashlib.sha256(contents(archive)[name]).hexdigest()


def _surroundings() -> dict[str, str]:
    """What an isolated build takes from the environment: a home, and how to reach packages."""
    kept = ("HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
    prefixes = ("PIP_", "NPM_CONFIG_", "npm_config_", "NODE_")
    return {n: v for n, v in os.environ.items() if n in kept or n.startswith(prefixes)}
