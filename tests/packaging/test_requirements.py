"""What is too old, or of the wrong kind, is refused with one sentence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tensorboard_gradhealth import requirements
from tools.matrix.combinations import COMBINATIONS

ROOT = Path(__file__).parents[2]
SETUP = (ROOT / "setup.py").read_text("utf-8")


@pytest.mark.parametrize("title", requirements.LOWEST)
def test_an_older_version_is_refused_and_said_to_be_so(title: str) -> None:
    major, minor = requirements.LOWEST[title]
    sentence = f"needs {title} {major}.{minor} or newer, and {major}.{minor - 1}.2 is installed"
    with pytest.raises(ImportError, match=sentence):
        requirements.need(title, f"{major}.{minor - 1}.2")


@pytest.mark.parametrize("version", ["3.4.0", "3.15.1", "3.10", "4.0.0rc1", "3.16.0.dev2", "local"])
def test_newer_versions_and_unreadable_ones_are_taken(version: str) -> None:
    requirements.need("Keras", version)


@pytest.mark.parametrize("title", requirements.LOWEST)
def test_the_bounds_of_an_installer_are_the_same(title: str) -> None:
    bounds = re.findall(rf'"{title.lower()}(?:-cpu)?>=([\d.]+)', SETUP)
    assert set(bounds) == {".".join(map(str, requirements.LOWEST[title]))}


@pytest.mark.parametrize("name", ["tensorflow", "keras", "tensorboard", "numpy", "protobuf"])
def test_the_matrix_tries_the_lowest_version_of_each_bound(name: str) -> None:
    [bound] = set(re.findall(rf'"{name}>=([\d.]+)', SETUP))
    tried = {getattr(combination, name) for combination in COMBINATIONS}
    assert any(version and f"{version}.".startswith(f"{bound}.") for version in tried)


class _OtherKeras:
    __version__ = "3.15.0"

    class backend:  # noqa: N801
        @staticmethod
        def backend() -> str:
            return "jax"


def test_another_backend_of_keras_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class TensorFlow:
        __version__ = "2.21.0"

    modules: dict[str, Any] = {"tensorflow": TensorFlow, "keras": _OtherKeras}
    monkeypatch.setattr(requirements, "import_module", modules.__getitem__)
    with pytest.raises(ImportError, match="Keras runs on 'jax' here: set KERAS_BACKEND=tensorflow"):
        requirements.need_training()


@pytest.mark.slow
def test_a_model_of_another_keras_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys, tensorboard_gradhealth as g\ng.HealthCallback(sys.argv[1]).set_model(object())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
    )
    assert "TypeError: HealthCallback needs a model of Keras 3" in result.stderr
