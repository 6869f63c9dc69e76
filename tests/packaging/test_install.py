"""The built package, installed where there is neither TensorFlow nor a source tree."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.tensorboard_process import tensorboard

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

WRITE_AND_READ = """
import importlib.util, sys
assert importlib.util.find_spec("tensorflow") is None
import numpy as np
import tensorboard_gradhealth
from tensorboard_gradhealth.storage.reader import RunReader, open_log_dir
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import Record, RunInfo, SignalSpec

log_dir = sys.argv[1]
writer = RunWriter(log_dir)
writer.write_info(RunInfo(signals={"loss": SignalSpec("loss", "Loss", "", "run")}), 0)
writer.write_record(Record(0, 0, {"loss": np.full((1, 3), np.nan, np.float32)}, 1, 0))
writer.close()
[record] = RunReader(open_log_dir(log_dir), None, "", ".").records()
assert np.isnan(record.signals["loss"]).all()
"""


def run(*command: str | Path, cwd: Path) -> None:
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel that was built from the source distribution beside it."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--outdir", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def bare(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel and what it needs, no more."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    [wheel] = built.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return python


def test_sdist_and_wheel_carry_the_frontend(built: Path) -> None:
    [sdist], [wheel] = built.glob("*.tar.gz"), built.glob("*.whl")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        installed = set(archive.namelist())
    for name in ("static/index.js", "py.typed", "storage/plugin_data_pb2.pyi"):
        assert f"tensorboard_gradhealth/{name}" in packed
        assert f"tensorboard_gradhealth/{name}" in installed
    assert "_build/backend.py" in packed
    assert not [name for name in packed if name.startswith("frontend/")]
    assert {name.partition("/")[0].partition("-")[0] for name in installed} == {
        "tensorboard_gradhealth"
    }


def test_everything_but_training_works_without_tensorflow(bare: Path, tmp_path: Path) -> None:
    run(bare, "-c", WRITE_AND_READ, tmp_path / "run", cwd=tmp_path)
    with tensorboard(tmp_path, python=str(bare), cwd=tmp_path) as running:
        assert running.wait_for_runs("run")["run"]["last_step"] == 0
        series = running.series("run", "loss")
        assert series.values.shape == (3, 1, 1)
        bundle = running.plugin("static/index.js")
        assert "is not built" not in bundle.text


def test_training_without_tensorflow_says_what_to_install(bare: Path, tmp_path: Path) -> None:
    code = "import tensorboard_gradhealth as g; g.HealthCallback"
    result = subprocess.run(
        [bare, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "needs TensorFlow: pip install" in result.stderr


@pytest.mark.parametrize(
    ("illness", "found"),
    [
        ("none", ""),
        ("learning_rate", "learning_rate_too_high output/kernel\n"),
        ("dead_units", "dead_units hidden\n"),
    ],
)
def test_a_numpy_loop_without_tensorflow_is_diagnosed(
    illness: str, found: str, bare: Path, tmp_path: Path
) -> None:
    program = ROOT / "tests" / "summary" / "numpy_loop.py"
    result = subprocess.run(
        [bare, program, tmp_path / "run", illness],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == found


@pytest.mark.parametrize("name", ["HealthMonitor", "probe", "summary.training(loss=1.0, step=0)"])
def test_what_needs_tensorflow_says_so(name: str, bare: Path, tmp_path: Path) -> None:
    code = f"import tensorboard_gradhealth as g; g.{name}"
    result = subprocess.run(
        [bare, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert f"{name.partition('.')[0]} needs TensorFlow: pip install" in result.stderr
