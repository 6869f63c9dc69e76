"""The page docs/versions.md, from what the matrix found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.matrix.combinations import COMBINATIONS, PYTHONS, Combination, Refusal
from tools.matrix.trying import Outcome

PAGE = Path(__file__).resolve().parents[2] / "docs" / "versions.md"
PACKAGES = ("tensorflow-cpu", "keras", "tensorboard", "numpy", "protobuf")

_HEAD = """<!-- Written by `make matrix`; do not edit. -->

# Versions

`make matrix` installed and tested these combinations, each in a separate environment with the
package as built for a release. The checks cover `fit` in graph mode, compiled by XLA, eagerly, with
several steps per execution, in half precision and with curvature, each with a bit-for-bit
comparison of the weights with a training without the callback; custom training loops; summaries of
tensors and of arrays; all routes of TensorBoard with both of its loaders; and the command line.
Without TensorFlow, they cover everything that does not need it.

"""

_REFUSED = """
Versions that are too old or not supported are rejected with one sentence:

"""

_NOTES = """
With or without this package, TensorBoard up to 2.20 does not start if setuptools 82 or newer is
installed, because it uses a removed part of it: `pip install "setuptools<82"`.
"""


def page(
    outcomes: Mapping[Combination, Outcome], refusals: Mapping[Refusal, str], pythons: Sequence[str]
) -> str:
    """Returns the page.

    Args:
      outcomes: What came of each combination that was tried; the others are listed as not run.
      refusals: What each case said that should be refused, "" if the right sentence.
      pythons: Versions of Python that were there.
    """
    head = ["Python", "TensorFlow", "Keras", "TensorBoard", "NumPy", "protobuf", "checks"]
    lines = [_row(head), _row(["---"] * len(head))]
    lines += [_row(_cells(item, outcomes.get(item))) for item in COMBINATIONS]
    missing = [version for version in PYTHONS if version not in pythons]
    if missing:
        lines += ["", f"Not run, no interpreter found: Python {', '.join(missing)}."]
    told = [f"- `{case.sentence}`{text and f' **but**: {text}'}" for case, text in refusals.items()]
    refused = _REFUSED + "\n".join(told) + "\n" if told else ""
    return _HEAD + "\n".join(lines) + "\n" + refused + _NOTES


def _cells(combination: Combination, outcome: Outcome | None) -> list[str]:
    if outcome is None:
        has = combination.tensorflow is not None
        asked = [part or "newest" for part in combination[3:]]
        pair = [part or "newest" if has else "none" for part in combination[1:3]]
        return [combination.python, *pair, *asked, "not run"]
    versions = [outcome.versions.get(name, "") or "none" for name in PACKAGES]
    passed = outcome.checks - len(outcome.failures)
    said = f"{passed} of {outcome.checks}"
    failed = ", ".join(outcome.failures)
    return [combination.python, *versions, f"**{said}**: {failed}" if failed else said]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
