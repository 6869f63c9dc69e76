"""What TensorBoard does with the entry point, before anything is served."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

import pytest

from tensorboard_gradhealth.backend.loader import DEFAULT_SAMPLES, GradientHealthLoader
from tensorboard_gradhealth.storage.metadata import PLUGIN_NAME


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    GradientHealthLoader().define_flags(parser)
    return parser.parse_args(arguments)


def fixed(samples_per_plugin: Any, *arguments: str, **others: str) -> Any:
    flags = parse(*arguments)
    flags.samples_per_plugin = samples_per_plugin
    vars(flags).update(others)
    GradientHealthLoader().fix_flags(flags)
    return flags.samples_per_plugin


def test_entry_point_imports_neither_tensorflow_nor_numpy() -> None:
    """TensorBoard imports it at every start, whether or not anybody looks at this plugin."""
    code = (
        "import sys; import tensorboard.plugins.base_plugin; before = set(sys.modules);"
        "import tensorboard_gradhealth.backend.loader; print(*set(sys.modules) - before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    imported = {name.partition(".")[0] for name in result.stdout.split()}
    assert not imported & {"tensorflow", "keras", "numpy", "grpc"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"logdir": "gs://bucket/logs"},
        {"logdir": "", "logdir_spec": "a:/logs"},
        {"logdir": "logs", "grpc_data_provider": "localhost:6806"},
    ],
)
def test_default_is_raised_where_tensorboard_reads_the_logs(elsewhere: dict[str, str]) -> None:
    assert fixed({}, **elsewhere) == {PLUGIN_NAME: DEFAULT_SAMPLES}


def test_tensorboard_holds_next_to_nothing_of_logs_that_the_plugin_reads_itself() -> None:
    assert fixed({"images": 5}, logdir="logs") == {"images": 5, PLUGIN_NAME: 1}


def test_a_sample_is_taken_by_tensorboard() -> None:
    flag = ("--gradhealth_samples", "300")
    assert fixed({}, *flag, logdir="logs") == {PLUGIN_NAME: 300}
    assert fixed({PLUGIN_NAME: 50}, logdir="logs") == {PLUGIN_NAME: 50}


def test_flag_changes_the_default() -> None:
    assert fixed({"images": 5}, "--gradhealth_samples", "0") == {"images": 5, PLUGIN_NAME: 0}


def test_choice_of_the_user_wins() -> None:
    assert fixed({PLUGIN_NAME: 50}) == {PLUGIN_NAME: 50}


@pytest.mark.parametrize("strange", [None, "", "gradhealth=5", 7])
def test_flags_that_bypassed_the_parser_are_left_alone(strange: Any) -> None:
    assert fixed(strange) == strange


def test_flags_of_another_program_are_left_alone() -> None:
    flags = argparse.Namespace()
    GradientHealthLoader().fix_flags(flags)
    assert vars(flags) == {}


@pytest.mark.parametrize("flag", ["--gradhealth_samples", "--gradhealth_cache_mb"])
@pytest.mark.parametrize("text", ["-1", "many", "1.5"])
def test_bad_number_is_refused(flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flag, text)
    assert f"{text!r} is not a whole number" in capsys.readouterr().err
