"""Faults of the set-up: known at the first record, and the root of what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tensorboard_gradhealth.rules import RULES, Case, case, replay
from tensorboard_gradhealth.rules._cases import kernel
from tensorboard_gradhealth.rules._heads import REACH, fault_of
from tensorboard_gradhealth.rules._stories import link
from tensorboard_gradhealth.types import Finding

LATER = (  # which take a while to see
    "so small that nothing is learned",
    "thirty plain layers with Glorot's weights",
    "classes of -1 and 1 for a sigmoid",
    "a ReLU in front of the softmax has lost a class",
)
SETUP = {
    (rule.name, sick.label): sick
    for rule in RULES
    if rule.group == "setup"
    for sick in rule.sick
    if sick.label not in LATER
}


def _findings(run: Case, records: int | None = None) -> list[Finding]:
    return replay(run.info, run.records[:records])[0]


def _initial(*rms: float) -> Any:
    """Weights around 0 with these deviations, seen once."""
    fields = {"mean": 0, "std": rms, "min": 0, "max": 0, "zero_fraction": 0}
    return lambda step: fields if step == 0 else None


def _run(size: float, loss: Sequence[float], ratio: float) -> Case:
    return case(
        "large weights",
        rows={"variable": (kernel("dense/kernel", 4096), kernel("out/kernel", 256))},
        run={
            "loss": lambda s: loss[min(s, len(loss) - 1)],
            "expected_initial_loss": lambda s: 1.39,
            "learning_rate": lambda s: 0.1,
        },
        variable={
            "initial_weights": _initial(size * np.sqrt(2 / 64), 0.17),
            "update_ratio": lambda s: [ratio if s == 0 else 0.01, 0.01],
            "weight_rms": lambda s: [size, 0.17],
        },
        facts={"kernel_fans": {"dense/kernel": [64, 64], "out/kernel": [64, 4]}},
    )


@pytest.mark.parametrize("name", SETUP, ids=lambda name: f"{name[0]}-{name[1]}")
def test_a_fault_of_the_set_up_is_told_at_the_first_record(name: tuple[str, str]) -> None:
    sick = SETUP[name]
    (finding,) = [f for f in _findings(sick, records=1) if f.rule == name[0]]
    assert (finding.severity, finding.layers, finding.first_step) == (sick.severity, sick.layers, 0)


def test_large_initial_weights_are_the_root_of_the_huge_step_that_they_cause() -> None:
    findings = _findings(_run(20, [300, 200, 90], ratio=4))
    assert [(f.rule, f.caused_by) for f in findings[:2]] == [
        ("poor_initialization", ""),
        ("learning_rate_too_high", "poor_initialization"),
    ]
    assert "initial_weights: `dense/kernel` starts at 20" in findings[1].causes[0].support


def test_initial_weights_of_the_usual_size_are_ruled_out_as_the_cause() -> None:
    (finding, *_) = _findings(_run(1, [1.39, 20, 1.4], ratio=4))
    assert finding.rule == "learning_rate_too_high"
    ruled_out = [c.text for c in finding.causes if c.confidence == "ruled out"]
    assert "the initial weights are too large" in ruled_out


def test_large_initial_weights_that_are_overcome_end_their_finding() -> None:
    run = _run(20, [300] * 5 + [0.3], ratio=0.01)
    (finding,) = [f for f in _findings(run) if f.rule == "poor_initialization"]
    assert not finding.open


def test_without_the_shapes_of_kernels_their_size_is_not_judged() -> None:
    run = _run(20, [300], ratio=0.01)
    states = replay(type(run.info)(run.info.rows, run.info.signals), run.records)[1]
    (state,) = (state for state in states if state.rule == "poor_initialization")
    assert (state.state, state.reason) == (
        "not evaluated",
        "the shapes of the kernels are not known",
    )


def test_information_is_nobodys_root_cause() -> None:
    """Classes under a squared error work, if slowly: a lost run has another reason."""
    finding = _findings(_run(1, [1.39, 20, 1.4], ratio=4))[0]
    remark = dataclasses.replace(finding, id="a", rule="output_loss_mismatch", code="GH202")
    causes = {finding.rule: ("output_loss_mismatch",)}
    for severity, root in (("info", ""), ("warning", "a")):
        linked = link([dataclasses.replace(remark, severity=severity), finding], causes)
        assert linked[finding.id].caused_by == root


def _fault(activation: str, loss: str, units: int = 10, from_logits: bool = False) -> str:
    head = {"activation": activation, "loss": loss, "units": units, "from_logits": from_logits}
    fault = fault_of(head)
    return fault.severity if fault else ""


@pytest.mark.parametrize(
    ("loss", "from_logits", "fitting"),
    [
        ("sparse_categorical_crossentropy", False, {"softmax"}),
        ("categorical_crossentropy", False, {"softmax", "softplus", "exponential"}),
        ("binary_crossentropy", False, {"sigmoid", "hard_sigmoid"}),
        (
            "categorical_crossentropy",
            True,
            set(REACH) - {"sigmoid", "hard_sigmoid", "tanh", "softsign", "relu6"},
        ),
        ("binary_crossentropy", True, {"linear", "leaky_relu", "sigmoid"}),
        ("binary_focal_crossentropy", True, {"linear", "leaky_relu"}),
        ("poisson", False, {n for n, (low, _) in REACH.items() if low == 0}),
        ("hinge", False, {n for n, (low, _) in REACH.items() if low < 0}),
        ("mean_squared_error", False, set(REACH)),
    ],
)
def test_each_loss_has_the_functions_that_fit_it(
    loss: str, from_logits: bool, fitting: set[str]
) -> None:
    found = {name for name in REACH if _fault(name, loss, from_logits=from_logits) in ("", "info")}
    assert found == fitting


@pytest.mark.parametrize("loss", ["binary_crossentropy", "mean_squared_error", "hinge", "my_loss"])
def test_a_softmax_over_one_unit_is_an_error_under_every_loss(loss: str) -> None:
    assert _fault("softmax", loss, units=1) == "error"


def test_one_unit_is_an_error_under_a_loss_of_classes() -> None:
    assert _fault("linear", "sparse_categorical_crossentropy", units=1, from_logits=True) == "error"


def test_the_only_class_of_all_is_guessed_without_effort() -> None:
    sick = SETUP["output_loss_mismatch", "one unit for classes"]
    nothing = {"expected_initial_loss": np.zeros((1, 3), np.float32)}  # the logarithm of 1
    first = dataclasses.replace(sick.records[0], signals={**sick.records[0].signals, **nothing})
    [finding], states = replay(sick.info, [first])
    assert finding.rule == "output_loss_mismatch"
    assert not [state for state in states if "failed" in state.reason]
