"""The engine with the rules that ship: one story, equal live and replayed, one file a rule."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tensorboard_gradhealth
from tensorboard_gradhealth.rules import (
    RULES,
    Engine,
    case,
    replay,
)
from tensorboard_gradhealth.rules._cases import hidden, kernel
from tensorboard_gradhealth.types import (
    NOT_MEASURED,
)

SICK = [item for rule in RULES for item in rule.sick]


@pytest.mark.parametrize("sick", SICK, ids=lambda item: item.label)
def test_live_and_replayed_findings_are_equal(sick: object) -> None:
    engine = Engine(sick.info)  # type: ignore[attr-defined]
    events = [event for record in sick.records for event in engine.feed(record)]  # type: ignore[attr-defined]
    findings, states = replay(sick.info, sick.records)  # type: ignore[attr-defined]
    # As text, because a NaN in the evidence is not equal to itself.
    assert repr([dataclasses.replace(f, origin="live") for f in findings]) == repr(engine.findings)
    assert {finding.origin for finding in findings} == {"replay"}
    assert states == engine.states()
    assert {event.finding.id for event in events} == {finding.id for finding in findings}


def test_a_learning_rate_that_kills_units_is_one_story() -> None:
    run = case(
        "Adam at 1",
        rows={"variable": (kernel("dense/kernel"),), "activation": (hidden("dense"),)},
        run={"loss": lambda s: 20 if s == 1 else 0.7, "learning_rate": lambda s: 1.0},
        variable={"update_ratio": lambda s: 3 if s == 0 else 0.01, "weight_rms": lambda s: 0.3},
        activation={"dead_fraction": lambda s: NOT_MEASURED if s < 16 else 1},
        facts={"optimizer": "Adam"},
    )
    findings, _ = replay(run.info, run.records)
    assert [(f.rule, f.severity, f.caused_by) for f in findings] == [
        ("learning_rate_too_high", "error", ""),
        ("dead_units", "error", "learning_rate_too_high"),
    ]
    assert findings[0].fixes[0].code == "optimizer = keras.optimizers.Adam(learning_rate=0.001)"


def test_an_output_without_gradient_explains_weights_that_hardly_move() -> None:
    run = case(
        "a softmax over one unit",
        rows={"variable": (kernel("dense/kernel"),)},
        run={"loss": lambda s: 0.69, "learning_rate": lambda s: 1e-3},
        variable={"update_ratio": lambda s: 2e-6},
        classes={"label_counts": lambda s: {"count": [100, 100]}},
        facts={
            "optimizer": "Adam",
            "loss": "binary_crossentropy",
            "outputs": [
                {
                    "layer": "dense",
                    "units": 1,
                    "activation": "softmax",
                    "before": "",
                    "loss": "binary_crossentropy",
                    "from_logits": False,
                    "label_smoothing": 0.0,
                }
            ],
        },
        steps=100,
    )
    told = {finding.rule: finding.caused_by for finding in replay(run.info, run.records)[0]}
    assert told["output_loss_mismatch"] == ""
    assert told["learning_rate_too_low"] == "output_loss_mismatch"


def test_a_lowered_learning_rate_ends_its_finding() -> None:
    run = case(
        "Adam at 1, then at 1e-3",
        rows={"variable": (kernel("dense/kernel"),)},
        run={"loss": lambda s: 0.7, "learning_rate": lambda s: 1.0 if s < 45 else 1e-3},
        variable={"update_ratio": lambda s: 3 if s == 0 else 0.01, "weight_rms": lambda s: 0.3},
        steps=100,
    )
    (finding,), _ = replay(run.info, run.records)
    assert (finding.severity, finding.last_step, finding.open) == ("error", 44, False)


def test_adding_a_rule_touches_one_file_and_needs_neither_tensorflow_nor_tensorboard(
    tmp_path: Path,
) -> None:
    source = Path(tensorboard_gradhealth.__file__).parent
    package = tmp_path / "tensorboard_gradhealth"
    shutil.copytree(source / "rules", package / "rules")
    shutil.copy(source / "types.py", package)
    (package / "__init__.py").touch()
    (package / "rules" / "always.py").write_text(
        "from tensorboard_gradhealth.rules._base import Rule\n"
        "RULE = Rule('always', 'GH199', 'data', lambda view: None)\n"
    )
    program = (
        "import sys; from tensorboard_gradhealth.rules import RULES\n"
        "assert not {'tensorflow', 'tensorboard', 'keras'} & set(sys.modules)\n"
        "print(*(rule.name for rule in RULES))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert set(out.stdout.split()) == {rule.name for rule in RULES} | {"always"}
