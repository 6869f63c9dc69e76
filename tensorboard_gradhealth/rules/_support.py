"""Second opinions: numbers that more than one rule reads to support a cause."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from tensorboard_gradhealth.rules._answers import until_new
from tensorboard_gradhealth.rules._view import Bools, Floats, View
from tensorboard_gradhealth.rules._wording import ADAPTIVE, number, optimizer_class, percent, quoted
from tensorboard_gradhealth.types import Cause

FIRST_STEPS = 20
"""A learning rate that is far too high shows in the size of these steps; later it may not."""

HUGE_UPDATE = 0.5
"""Share of its own size by which a kernel can change in one step and still train: measured
0.27 to 0.42 on SGD runs that train, 0.56 on an Adam run that is degraded, 1.7 on a lost one."""


HUGE_START = 5.0
"""Times He's size from which initial weights are too large, unless a normalisation follows."""


WIDE = 100.0
"""Times the typical standard deviation from which a feature dwarfs the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """The largest relative change of a kernel within the first steps.

    `begin` is the ratio of the first step that was too long: later ones also grow by themselves,
    so they say less of the learning rate.
    """

    ratio: float
    row: str
    step: int
    begin: float


def real_kernels(view: View, rms: Floats) -> Bools:
    """Kernels whose relative update says something.

    Not those that are tiny, that started from almost zero, or whose size does not matter because
    a normalisation follows.

    Args:
      view: Where the rows are described.
      rms: `[..., rows]`, root mean square of the kernel before the update.

    Returns:
      bool `[..., rows]`. A square kernel with the usual initial values has an rms of about
      size ** -0.25; one that starts from zero (a residual or adapter branch) has none to change.
    """
    size = view.sizes("update_ratio")
    kernels = view.where("update_ratio", "kernel") & ~view.normalised("update_ratio")
    return np.asarray(kernels & (size >= 16) & (rms >= 0.1 * size**-0.25))


def largest_first_update(view: View, least: float = HUGE_UPDATE) -> Update | None:
    """The largest finite update ratio of the first steps; None if none exceeds `least`."""
    if not (view.has("update_ratio") and view.has("weight_rms")):
        return None
    ratio = view.early("update_ratio", FIRST_STEPS, "max")
    rms = view.early("weight_rms", FIRST_STEPS)
    if not (ratio > least).any() or ratio.shape != rms.shape:
        return None
    judged = np.where(real_kernels(view, rms) & np.isfinite(ratio), ratio, 0)
    record, row = np.unravel_index(int(judged.argmax()), judged.shape)
    if not judged[record, row] > least:
        return None
    step = int(view.early_steps("update_ratio", FIRST_STEPS)[record])
    begin = float(judged.max(axis=1)[(judged > least).any(axis=1)][0])
    return Update(float(judged[record, row]), view.rows("update_ratio")[row].name, step, begin)


def calmer(view: View, ratio: float) -> float:
    """Factor of the learning rate with which an update ratio becomes what is usual.

    That is, over the first steps, 0.003 to 0.01 for adaptive optimizers at their default rate, and
    0.01 to 0.4 for others that train.
    """
    return (0.004 if optimizer_class(view) in ADAPTIVE else 0.05) / ratio


def learning_rate_cause(view: View) -> Cause:
    """The learning rate as a cause: likely when the first steps were huge."""
    rate = view.scalar("learning_rate", "max")
    known = f" of {number(rate)}" if rate > 0 else ""
    text = f"the learning rate{known} is too high"
    update = largest_first_update(view)
    if update is None:
        return Cause(text)
    support = f"step {update.step} changed {quoted(update.row)} by {percent(update.ratio)}"
    return Cause(text, "likely", f"update_ratio: {support}")


def in_half_precision(view: View) -> bool:
    """Whether weights are kept in float16, without the loss scaling that this takes."""
    types = str(view.facts.get("weight_types", "")).split(", ")
    return "float16" in types and not view.facts.get("loss_scaled")


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """How the input features that vary compare; `row` is the one with the largest std.

    `rms` is the median over features of the root mean square, `widest_rms` that of `row`.
    `wide` are the first features, `row` in front, that vary over `WIDE` times the typical one.
    """

    row: str
    ratio: float
    std: float
    typical_std: float
    rms: float
    widest_rms: float
    smallest: float
    largest: float
    count: int
    wide: tuple[str, ...]


@until_new("input_features")
def input_scale(view: View) -> Scale | None:
    """Spread of the input features so far; None if none that varies was measured."""
    if not view.has("input_features"):
        return None
    low, high = view.latest("input_features", "min"), view.latest("input_features", "max")
    mean, std = view.latest("input_features", "mean"), view.latest("input_features", "std")
    largest = np.maximum(np.abs(low), np.abs(high))
    varies = view.where("input_features", "input") & (std > 1e-6 * largest) & np.isfinite(std)
    if not varies.any():
        return None
    rows = np.flatnonzero(varies)
    widest = rows[std[rows].argmax()]
    # The lower median: of two features, the one that is not the outlier.
    typical = float(np.sort(std[rows])[(len(rows) - 1) // 2])
    rms = np.hypot(mean, std)
    names = view.rows("input_features")
    others = [i for i in rows if std[i] > WIDE * typical and i != widest]
    return Scale(
        row=names[widest].name,
        ratio=float(std[widest]) / typical,
        std=float(std[widest]),
        typical_std=typical,
        rms=float(np.median(rms[rows])),
        widest_rms=float(rms[widest]),
        smallest=float(low[rows].min()),
        largest=float(largest[rows].max()),
        count=int(view.latest("input_features", "count")[widest]),
        wide=tuple(names[i].name for i in (widest, *others[:9])),
    )


def input_scale_cause(view: View) -> Cause:
    """Unscaled inputs as a cause: likely when they are large."""
    scale = input_scale(view)
    if scale is not None and scale.largest > 100 and (scale.rms > 10 or scale.ratio > WIDE):
        return Cause(
            "the inputs are not scaled",
            "likely",
            f"input_features: {quoted(scale.row)} has a standard deviation of {number(scale.std)}",
        )
    return Cause("the inputs are not scaled", "possible" if scale is None else "ruled out")


@until_new("loss")
def median_loss(view: View, *, first: bool = False) -> float:
    """Median of the three first or the five newest records of the loss; NaN if unknown."""
    if not view.has("loss"):
        return float("nan")
    losses = view.early("loss")[:3] if first else view.past("loss", 5)
    return float(np.median(losses)) if len(losses) else float("nan")


@until_new("loss")
def loss_drop(view: View) -> float:
    """Share by which the loss fell since the first record; NaN if unknown.

    Only that one was measured before any update: a sick first step raises the next ones.
    """
    losses = view.early("loss").ravel() if view.has("loss") else np.empty(0)
    first = float(losses[0]) if len(losses) else float("nan")
    return (first - median_loss(view)) / abs(first) if first else float("nan")


@until_new("loss")
def recent_loss_drop(view: View) -> float:
    """Share by which the loss fell from the older to the newer half of the kept records."""
    past = view.past("loss") if view.has("loss") else np.empty((0, 1), np.float32)
    half = len(past) // 2
    if half < 5:
        return float("nan")
    older, newer = float(np.median(past[:half])), float(np.median(past[half:]))
    return (older - newer) / abs(older) if older else float("nan")


def learns(view: View) -> bool:
    """Whether the loss has halved since the start, or has fallen and goes on falling."""
    fall = loss_drop(view)
    return fall > 0.5 or (fall > 0.05 and recent_loss_drop(view) > 0.05)


def nonfinite_onset(view: View) -> int:
    """First step of the record at which something was not finite, as far as it is known."""
    record = view.record
    known = record.first_step <= record.first_nonfinite_step <= record.step
    return record.first_nonfinite_step if known else record.first_step


@dataclasses.dataclass(frozen=True, slots=True)
class BadLabels:
    """Labels that are not finite: where, how many (NaN if unknown), and what shows it."""

    row: str
    count: float
    signal: str


def bad_labels(view: View) -> BadLabels | None:
    """The worst target that had values that are not finite, or the class labels; else None."""
    if view.has("input_features"):
        targets = view.where("input_features", "target")
        count = np.where(targets, view.latest("input_features", "nonfinite"), 0)
        if (count > 0).any():
            worst = int(np.nan_to_num(count).argmax())
            name = view.rows("input_features")[worst].name
            return BadLabels(name, float(count[worst]), "input_features")
    # Labels of the sparse cross-entropy are integers.
    floating = view.facts.get("loss") in ("binary_crossentropy", "categorical_crossentropy")
    counted = view.has("label_counts") and view.measured("label_counts", "count").any()
    if floating and counted and np.isnan(view.latest("label_counts", "count")).all():
        return BadLabels("", float("nan"), "label_counts")
    return None


def likely_first(*causes: Cause) -> tuple[Cause, ...]:
    """The causes that are supported, then the possible ones, then those ruled out.

    A cause that is left when two others or more are ruled out is likely.
    """
    order = ("likely", "possible", "ruled out")
    left = [cause for cause in causes if cause.confidence != "ruled out"]
    if len(left) == 1 and len(causes) > 2 and left[0].confidence == "possible":
        support = left[0].support or "what else it could be is ruled out"
        by_exclusion = dataclasses.replace(left[0], confidence="likely", support=support)
        causes = tuple(by_exclusion if cause is left[0] else cause for cause in causes)
    return tuple(sorted(causes, key=lambda cause: order.index(cause.confidence)))


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """How large the kernels were before the first step.

    Attributes:
      size: float32 `[rows]`: root mean square / sqrt(2 / inputs), which is 1 for He initial
        weights and 0.7 for LeCun's; NaN but for kernels whose fans are known.
      constant: bool `[rows]`: kernels of which all elements are equal.
      several: bool `[rows]`: kernels of more than one unit.
    """

    size: Floats
    constant: Bools
    several: Bools


@until_new("initial_weights")
def initial_kernels(view: View) -> Start | None:
    """The kernels before the first step; None if they were not recorded."""
    if not view.has("initial_weights"):
        return None
    mean, std = view.latest("initial_weights"), view.latest("initial_weights", "std")
    known: Mapping[str, list[int]] = view.facts.get("kernel_fans", {})
    names = [row.name for row in view.rows("initial_weights")]
    fans = np.array([known.get(name, (0, 0)) for name in names], int).reshape(-1, 2)
    # A scale that is broadcast over units, or a filter of one weight, is no matrix.
    kernels = view.where("initial_weights", "kernel") & (fans[:, 0] >= 2)
    size = np.hypot(mean, std) * np.sqrt(fans[:, 0] / 2)
    # Equal filters of a depthwise convolution see other channels each: they are no copies.
    shared = np.array([not name.endswith("depthwise_kernel") for name in names], bool)
    constant = kernels & shared & (fans.prod(axis=1) >= 4) & (std <= 1e-6 * np.abs(mean))
    return Start(np.where(kernels, size, np.nan).astype(np.float32), constant, fans[:, 1] >= 2)


def initial_weights_cause(view: View) -> Cause:
    """Initial weights as a cause: likely when those of some kernel are far too large."""
    cause = Cause("the initial weights are too large")
    start = initial_kernels(view)
    if start is None:
        return cause
    size = np.where(view.normalised("initial_weights"), 0, np.nan_to_num(start.size, posinf=0))
    if not len(size) or not size.max() > HUGE_START:
        return dataclasses.replace(cause, confidence="ruled out")
    name = view.rows("initial_weights")[int(size.argmax())].name
    support = f"initial_weights: {quoted(name)} starts at {number(float(size.max()))} times He's"
    return dataclasses.replace(cause, confidence="likely", support=f"{support} size")
