"""What was measured is read back by name, and what cannot be read is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorboard_gradhealth as gradhealth
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import NOT_MEASURED, Record
from tests.logs import info, record, write_newer_run, write_run


def test_a_run_is_read_back(tmp_path: Path) -> None:
    write_run(tmp_path, range(20))
    run = gradhealth.read_run(tmp_path)
    assert (run.name, run.signals) == (".", ("gradient_norm", "loss"))
    norm = run.series("gradient_norm")
    assert (norm.rows, norm.fields) == (("a/kernel", "b/kernel"), ("mean", "min", "max"))
    assert norm.steps.tolist() == norm.first_steps.tolist() == list(range(20))
    assert (norm.values.shape, norm.values.dtype) == ((20, 2, 3), np.float32)
    np.testing.assert_allclose(norm.values[7, :, 0], [7.0, 7.1], rtol=1e-6)
    assert run.series("loss").rows == ("",)
    assert run.findings == gradhealth.diagnose(tmp_path)
    assert "learning_rate_too_high" in {state.rule for state in run.rule_states}


def test_what_was_not_measured_is_told_from_nan(tmp_path: Path) -> None:
    values = np.array([[np.nan] * 3, [NOT_MEASURED] * 3], np.float32)
    writer = RunWriter(tmp_path)
    writer.write_info(info(), 0)
    writer.write_record(Record(0, 0, {"gradient_norm": values}, 1))
    writer.close()
    norm = gradhealth.read_run(tmp_path).series("gradient_norm")
    assert norm.measured[0, :, 0].tolist() == [True, False]


def test_a_run_is_chosen_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        gradhealth.read_run(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=f"{tmp_path}.* holds no run of Gradient Health"):
        gradhealth.read_run(tmp_path)
    for name in ("one", "two"):
        write_run(tmp_path / name, range(3))
    with pytest.raises(ValueError, match=f"{tmp_path}.* several runs; name one of: one, two"):
        gradhealth.read_run(tmp_path)
    assert gradhealth.read_run(tmp_path, "two").name == "two"
    with pytest.raises(ValueError, match="no run 'three'; there is: one, two"):
        gradhealth.read_run(tmp_path, "three")


def test_an_unknown_signal_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    write_run(tmp_path, range(3))
    with pytest.raises(LookupError, match="'nope'.*known: gradient_norm, loss"):
        gradhealth.read_run(tmp_path).series("nope")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_newer_run(tmp_path / "newer")
    with pytest.raises(gradhealth.UnreadableRun, match=f"'newer' of '{tmp_path}': .*Upgrade"):
        gradhealth.read_run(tmp_path)
    with pytest.raises(gradhealth.UnreadableRun, match=f"'newer' of '{tmp_path}'"):
        gradhealth.diagnose(tmp_path)
    writer = RunWriter(tmp_path / "damaged")
    writer.write_info(info(), 0)
    writer.write_record(record(0, 1, rows=5))
    writer.close()
    damaged = gradhealth.read_run(tmp_path, "damaged")
    assert damaged.series("loss").values.shape == (1, 1, 3)
    with pytest.raises(gradhealth.UnreadableRun, match=r"'damaged' of .*float32 \[5, 3\]"):
        damaged.series("gradient_norm")
    with pytest.raises(gradhealth.UnreadableRun, match="'damaged' of "):
        print(damaged.findings)


def test_reading_needs_no_tensorflow(tmp_path: Path) -> None:
    write_run(tmp_path, range(3))
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "import tensorboard_gradhealth as gradhealth\n"
        f"run = gradhealth.read_run({str(tmp_path)!r})\n"
        "print(run.series('loss').values[2, 0, 0], len(run.findings))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert done.stdout.startswith("2.0 ")
