"""Logs for the tests of the report, written without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tensorboard_gradhealth.rules import RULES
from tensorboard_gradhealth.storage.writer import RunWriter
from tensorboard_gradhealth.types import (
    NOT_MEASURED,
    Evidence,
    Finding,
    Record,
    Row,
    RuleState,
    RunInfo,
    SignalSpec,
)
from tests import logs

MARKUP = "<img src=x onerror=alert(1)>\"'&"
NAMES = (
    MARKUP,
    "\u202e\u05e9\u05dc\u05d5\u05dd/kernel",
    "🧪/kernel",
    "long_" + "x" * 295,
    "half \ud83d",
    "nul \x00",
)

RULE = RuleState("vanishing_gradients", "GH501", "firing")
SKIPPED = RuleState("overfitting", "GH606", "not evaluated", "no `validation_loss` yet")


def write_case(log_dir: Path, rule: str) -> None:
    """Writes the run on which a rule of this package fires first; it is judged when it is read."""
    sick = {known.name: known.sick[0] for known in RULES}[rule]
    writer = RunWriter(log_dir)
    writer.write_info(sick.info, 0)
    for record in sick.records:
        writer.write_record(record)
    writer.close()


def write_norms(
    log_dir: Path,
    norms: np.ndarray,
    rows: Sequence[Row] = logs.ROWS,
    findings: Sequence[Finding] = (),
    facts: dict[str, object] | None = None,
) -> None:
    """Writes a run of one record per step.

    Args:
      log_dir: Where to.
      norms: `[steps, rows]`: the gradient norm; the loss is that of the first row.
      rows: What the rows are.
      findings: As found during training.
      facts: Of the run.
    """
    specs = {
        "gradient_norm": logs.NORM,
        "loss": logs.LOSS,
        "validation_loss": SignalSpec("validation_loss", "Validation loss", "loss", "run"),
    }
    writer = RunWriter(log_dir)
    writer.write_info(RunInfo({"variable": tuple(rows)}, specs, facts or {"optimizer": "sgd"}), 0)
    for step, values in enumerate(norms.astype(np.float32)):
        matrix = np.repeat(values[:, np.newaxis], 3, axis=1)
        writer.write_record(
            Record(step, step, {"gradient_norm": matrix, "loss": matrix[:1]}, step + 1)
        )
    writer.write_findings(list(findings), [RULE, SKIPPED], len(norms) - 1)
    writer.close()


def vanishing(layer: str = "a/kernel", **changes: object) -> Finding:
    """A finding about the gradient of one layer."""
    evidence = Evidence("gradient norm", 5.0, 4.0, "", "gradient_norm", 5, layer)
    values = {
        "code": "GH501",
        "title": f"Almost no gradient reaches `{layer}`",
        "first_step": 5,
        "last_step": 9,
        "layers": (layer,),
        "evidence": (evidence,),
        **changes,
    }
    return logs.finding("vanishing_gradients", **values)


def write_hostile(log_dir: Path) -> None:
    """Writes a run whose every name and text is a stranger's."""
    rows = [Row(name, name, "kernel") for name in NAMES]
    odd = np.array([1.0, np.nan, np.inf, -np.inf, 0.0, NOT_MEASURED])
    found = vanishing(
        MARKUP, harmless=MARKUP, check=f"`{MARKUP}`", references=(f"javascript:{MARKUP}",)
    )
    write_norms(log_dir, np.tile(odd, (6, 1)), rows, [found], {MARKUP: MARKUP})
