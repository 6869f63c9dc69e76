"""Rules whose findings are often only information: when they are silent, and their words."""

from __future__ import annotations

import pytest

from tensorboard_gradhealth.rules import RULES, Case, replay
from tensorboard_gradhealth.types import Finding

BY_NAME = {rule.name: rule for rule in RULES}


def _healthy(rule: str, label: str) -> Case:
    (found,) = (case for case in BY_NAME[rule].healthy if case.label == label)
    return found


def _findings(rule: str, label: str) -> list[Finding]:
    run = _healthy(rule, label)
    return [f for f in replay(run.info, run.records)[0] if f.rule == rule]


@pytest.mark.parametrize(
    ("rule", "label"),
    [
        ("class_imbalance", "even classes"),
        ("class_imbalance", "a rare class that chance made rarer"),
        ("class_imbalance", "many classes, few labels"),
        ("class_imbalance", "of batches that small nothing can be said"),
        ("gradient_spike", "even gradients"),
        ("gradient_spike", "noise of a factor of 8"),
        ("gradient_spike", "large gradients at the start"),
        ("gradient_spike", "a network that has learned"),
        ("gradient_spike", "a level that rises and stays"),
        ("gradient_spike", "a restart of the learning rate"),
        ("noise_dominated", "noise below the batch size"),
        ("noise_dominated", "much noise, and the loss falls"),
        ("noise_dominated", "a network that has learned"),
        ("noise_dominated", "an unknown batch size"),
        ("poor_initialization", "large weights, of which nothing is felt"),
        ("poor_initialization", "two heads of zeros"),
        ("poor_initialization", "a LoRA adapter, whose second factor is zero"),
        ("output_loss_mismatch", "a head that `call` computes"),
        ("output_loss_mismatch", "log-probabilities are logits"),
    ],
)
def test_what_is_usual_is_not_even_information(rule: str, label: str) -> None:
    assert _findings(rule, label) == []


@pytest.mark.parametrize(
    ("rule", "label", "title"),
    [
        ("class_imbalance", "imbalanced but learned", "Class `1` has 5 % of the labels"),
        ("class_imbalance", "one class so far", "All 6464 labels so far are of class `0`"),
        (
            "class_imbalance",
            "an order that the network does not follow",
            "The labels come one class after the other",
        ),
        (
            "gradient_spike",
            "one spike of a Transformer",
            "The gradient of steps 331 to 340 was 37 times the usual one",
        ),
        ("frozen_layer", "sequences of one step", "No gradient reaches `lstm/recurrent_kernel`"),
        (
            "frozen_layer",
            "an output that is given no loss",
            "No path leads from `out/kernel` to the loss",
        ),
        (
            "output_loss_mismatch",
            "classes",
            "`dense_1` learns classes under mean_squared_error",
        ),
    ],
)
def test_what_is_worth_knowing_is_information(rule: str, label: str, title: str) -> None:
    findings = _findings(rule, label)
    assert ("info", title) in [(finding.severity, finding.title) for finding in findings]
