"""How the loss went, and what it would be without knowledge: for rules that judge progress."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.rules._answers import until_new
from tensorboard_gradhealth.rules._probes import overshoots
from tensorboard_gradhealth.rules._view import View

Doubles = npt.NDArray[np.float64]

UPHILL_AT = 20
"""Steps after which it is known which way they lead, if they have not become long before."""

CALM_STEP = 0.1
"""Share of its size by which a kernel may change per step without being thrown anywhere."""

SQUARED_LOSSES = ("mse", "mean_squared_error")


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """A signal of the run in stretches, oldest first; only where it is finite.

    Attributes:
      values: float64 `[n]`: mean of each stretch.
      first: float64 `[n]`: first step of each.
      last: float64 `[n]`: last step of each.
    """

    values: Doubles
    first: Doubles
    last: Doubles

    @property
    def steps(self) -> float:
        """Steps from the first to the last."""
        return float(self.last[-1] - self.first[0] + 1) if len(self.values) else 0.0

    def since(self, step: float) -> Curve:
        """The stretches that begin at `step` or later."""
        kept = self.first >= step
        return Curve(self.values[kept], self.first[kept], self.last[kept])

    def until(self, step: float) -> Curve:
        """The stretches that end before `step`."""
        kept = self.last < step
        return Curve(self.values[kept], self.first[kept], self.last[kept])

    def level(self) -> float:
        """Median over steps; NaN if there are none."""
        if not len(self.values):
            return float("nan")
        order = np.argsort(self.values)
        passed = np.cumsum((self.last - self.first + 1)[order])
        return float(self.values[order][np.searchsorted(passed, passed[-1] / 2)])

    def halves(self) -> tuple[Curve, Curve]:
        """What ends before the middle step, and what begins after it."""
        middle = self.first[0] + self.steps / 2 if len(self.values) else 0.0
        return self.until(middle), self.since(middle)

    def trend(self) -> tuple[float, float]:
        """Change per step between the two halves, and its standard error; NaN if too short.

        The error comes from the differences of neighbours, which a trend hardly enters.
        """
        older, newer = self.halves()
        if min(len(older.values), len(newer.values)) < 4:
            return float("nan"), float("nan")
        scatter = float(np.median(np.abs(np.diff(self.values)))) / 0.954
        error = scatter * np.hypot(len(older.values) ** -0.5, len(newer.values) ** -0.5)
        distance = self.steps / 2
        return (newer.level() - older.level()) / distance, float(error) / distance


def curve(view: View, signal: str = "loss", row: int = 0) -> Curve:
    """The course of a signal since the first record; empty if it was not recorded."""
    if not view.has(signal):
        return Curve(np.empty(0), np.empty(0), np.empty(0))
    values = view.course(signal)[:, row].astype(np.float64)
    kept = np.isfinite(values)
    first, last = view.course_steps(signal)[kept].T.astype(np.float64)
    return Curve(values[kept], first, last)


def recent(view: View, steps: int, records: int, signal: str = "loss") -> Curve:
    """The newest records that span at least `steps` steps and are at least `records` many.

    Empty where there are not so many among those that are kept, or one is not finite.
    """
    values = view.past(signal)[:, 0].astype(np.float64)
    first, last = view.past_steps(signal).T.astype(np.float64)
    enough = np.flatnonzero(first <= view.record.step - steps + 1)
    start = min(int(enough[-1]) if len(enough) else -1, len(values) - records)
    if start < 0 or not np.isfinite(values[start:]).all():
        return Curve(np.empty(0), np.empty(0), np.empty(0))
    return Curve(values[start:], first[start:], last[start:])


@dataclasses.dataclass(frozen=True, slots=True)
class Guess:
    """The loss of the best constant prediction, and what it was computed from."""

    loss: float
    signal: str


@until_new("label_counts", "input_features", "expected_initial_loss")
def guessing(view: View) -> Guess | None:
    """What is reached by always predicting the same; None if it cannot be told.

    That is the entropy of the labels for cross-entropies and their variance for squared errors,
    else what `expected_initial_loss` says, which can be more. Where samples are weighted, the loss
    is of another scale than all of these.
    """
    if view.facts.get("sample_weights"):
        return None
    loss = str(view.facts.get("loss", ""))
    if loss.endswith("crossentropy") and view.has("label_counts"):
        counts = view.latest("label_counts", "count").astype(np.float64)
        share = counts[counts > 0] / counts[counts > 0].sum()
        entropy = float(-(share * np.log(share)).sum())
        return Guess(entropy, "label_counts") if entropy > 0 else None
    if loss in SQUARED_LOSSES and view.has("input_features"):
        spread = view.latest("input_features", "std")[view.where("input_features", "target")]
        variance = float(np.mean(np.square(spread, dtype=np.float64))) if len(spread) else 0.0
        return Guess(variance, "input_features") if 0 < variance < np.inf else None
    expected = view.scalar("expected_initial_loss")
    return Guess(expected, "expected_initial_loss") if 0 < expected < np.inf else None


def first_loss(view: View) -> float:
    """The loss before any update, of one batch; NaN if unknown."""
    losses = view.early("loss").ravel() if view.has("loss") else np.empty(0)
    return float(losses[0]) if len(losses) else float("nan")


@until_new("loss", early=True)
def start_level(view: View) -> float:
    """Median loss of the first 20 steps; NaN if they were not seen."""
    losses = view.early("loss", 19).ravel()
    return float(np.median(losses)) if len(losses) else float("nan")


def untrained(view: View) -> float:
    """Loss that a model has without learning: the larger of guessing and the first one."""
    guess = guessing(view)
    return float(np.fmax(first_loss(view), guess.loss if guess else np.nan))


def struck_at(view: View, times: float) -> int | None:
    """The newest step, if its loss is that many times an untrained one's, out of the calm.

    The steps before it were short: a loss like that is the doing of its batch. None if that is not
    known, or not so.
    """
    steps = view.past_steps("loss") if view.has("loss") else np.empty((0, 2))
    if len(steps) < 2 or steps[-1, 0] != steps[-1, 1] or not view.has("update_ratio"):
        return None
    before, newest = view.past("loss", 2, "max")[:, 0].astype(np.float64)
    usual = untrained(view)
    if not (0 < before < 3 * usual and times * usual < newest < np.inf):
        return None
    short = view.past_steps("update_ratio")[:, 1] < steps[-1, 0]
    kernels = view.where("update_ratio", "kernel")
    ratio = view.past("update_ratio", field="max")[short][-5:, kernels]
    calm = len(ratio) and ratio.size and np.isfinite(ratio).any() and np.nanmax(ratio) < CALM_STEP
    return int(steps[-1, 0]) if calm else None


def uphill(view: View) -> float | None:
    """Rise of the loss in the first steps over the fall that they should bring, if it is that.

    It is where the first eight steps or more were short, and raised the loss steadily, and by about
    what they should have taken from it; else None.
    """
    rise = _early_rise(view)
    if rise is None or (len(rho := overshoots(view, 5, after=-1)) and np.median(rho) < 1):
        return None
    return rise


@until_new("loss", "predicted_change", "update_ratio", early=True)
def _early_rise(view: View) -> float | None:
    """What `uphill` returns, whatever the probes say."""
    needed = ("loss", "predicted_change", "update_ratio")
    if not all(view.has(signal) for signal in needed):
        return None
    loss = view.early("loss", UPHILL_AT)[:, 0].astype(np.float64)
    ratio = view.early("update_ratio", UPHILL_AT)[:, view.where("update_ratio", "kernel")]
    gain = np.nansum(view.early("predicted_change", UPHILL_AT).astype(np.float64), axis=1)
    if not ratio.size or len(ratio) != len(loss) or len(gain) != len(loss):
        return None
    wild = np.flatnonzero((np.nan_to_num(ratio, posinf=1) > CALM_STEP).any(axis=1))
    calm = int(wild[0]) if len(wild) else len(loss)
    loss, gain = loss[:calm], gain[:calm]
    if (calm <= UPHILL_AT and not len(wild)) or calm < 8 or not np.isfinite(loss).all():
        return None
    quarters = [float(np.median(part)) for part in np.array_split(loss, 4)]
    rise = quarters[-1] - quarters[0]
    if sorted(quarters) != quarters or not rise > 0.3 * abs(quarters[0]):
        return None
    middle = len(loss) // 8  # of the first quarter, and of the last
    fall = -float(gain[middle : len(loss) - middle].sum())
    return rise / fall if 0 < rise < 3 * fall < 10 * rise else None


def endless_since(view: View) -> int | None:
    """Since when a loss below 0 falls on and on, a hundred times as far as it began; else None."""
    loss = curve(view)
    if len(loss.values) < 8 or str(view.facts.get("loss", "")).endswith("_crossentropy"):
        return None
    scale = max(abs(first_loss(view)), 1.0)
    if not (loss.values[-3:] < -100 * scale).all() or loss.values[-1] > loss.values.min() * 0.9:
        return None
    return int(loss.first[np.argmax(loss.values < -10 * scale)])


def planned_steps(view: View) -> int:
    """Length of the run if it is known, else 0."""
    epochs, steps = view.facts.get("epochs"), view.facts.get("steps")
    known = isinstance(epochs, int) and isinstance(steps, int)
    return int(view.facts["epochs"]) * int(view.facts["steps"]) if known else 0


def several_optimizers(view: View) -> bool:
    """Whether several networks are trained against or beside each other."""
    return "," in str(view.facts.get("optimizer", ""))


def rate_jump(view: View) -> int | None:
    """First step of the last of the kept records at which the learning rate at least doubled."""
    if not view.has("learning_rate"):
        return None
    rate = view.past("learning_rate")[:, 0]
    late = view.past_steps("learning_rate")[1:, 0] > 20  # a warm-up doubles at its first steps
    jumps = np.flatnonzero((rate[:-1] > 0) & (rate[1:] >= 2 * rate[:-1]) & late)
    return int(view.past_steps("learning_rate")[jumps[-1] + 1, 0]) if len(jumps) else None


def unsettled(view: View, update: float) -> bool:
    """Whether kernels change by more than `update` of their size per step, or not at all any more.

    Losses of games between networks, of rewards and of targets that move go up and down without
    harm. Where it is not known what guessing gives, this tells them from a training that is lost.
    """
    if not view.has("update_ratio"):
        return False
    ratio = view.past("update_ratio", 10)[:, view.where("update_ratio", "kernel")]
    if not ratio.size:
        return False
    median = np.nan_to_num(np.median(ratio, axis=0), nan=0.001)
    return bool(median.max() > update or median.max() < 1e-6)
