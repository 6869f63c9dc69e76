"""The validation loss rises while the training loss still falls.

## Meaning
Since its best evaluation, the model has become worse on data that it is not trained on, and better
on those that it is: it learns them by heart.

## Why it matters
Each further epoch costs time and makes the result worse. The best model has passed already.

## How it is measured
`validation_loss`, smoothed over three evaluations: its rise since its minimum, as a share of what
was gained until then (the loss of an untrained model minus that minimum, or a quarter of that loss
where less was gained). Judged while the training loss has fallen by `train` since the minimum, and
only where the rise is more than three times the usual change between evaluations:

- from `info` on, three evaluations after the minimum: information
- from `warning` on, five evaluations and a tenth of all of them after the minimum: a warning

It is information as well while averages of batch normalisation lag behind (see below) and the
validation loss has never been `gained` below that of an untrained model.

Where the validation accuracy rises by more than `accuracy` meanwhile, the model decides better than
before and is only too sure of its mistakes: that is information, unless the loss has risen by more
than `worse`, which makes it higher than that of a model that has learned nothing.

## Likely causes
- more parameters than the data can settle, and too long a training
- noise in the labels, which can only be learned by heart
- validation data of another kind than the training data
- averages of batch normalisation that lag behind, in the first 5 / (1 - momentum) steps: validation
  uses them, and training does not

## Fixes
Keep the weights of the best evaluation; more data or augmentation; dropout, weight decay; a smaller
model. For averages that lag, a momentum of 0.9, or more steps.

## False alarms
Dropout and augmentation make the training loss the larger one: the two are not compared with each
other, only each with its own past. Few validation samples make the loss jump; hence the smoothing
and the comparison with its usual change.

## References
- Prechelt, Early Stopping - But When?, 1998
- Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measure, Rows, case
from tensorboard_gradhealth.rules._loss import Curve, curve, untrained
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row, Severity

_EARLY, _LATE = 3, 5  # Evaluations since the minimum.
_CATCH_UP = 5  # Time constants after which less than 1 % of where an average began is left.


@dataclasses.dataclass(frozen=True, slots=True)
class _Rise:
    """From the smoothed minimum of the validation loss to where it is now."""

    best: float
    now: float
    share: float
    gained: float  # until the minimum, as a share of the loss of an untrained model
    evaluations: int
    step: float


def check(view: View) -> Sign | None:
    """A sign while the validation loss is above its minimum and the training loss falls."""
    rise = _rise(view)
    limits = view.limits
    if not rise.share > limits["info"] or not _train_fall(view, rise.step) > limits["train"]:
        return None
    accuracy = _accuracy_gain(view, rise.step)
    bold = accuracy > limits["accuracy"] and not rise.share > limits["worse"]
    enough = rise.evaluations >= max(_LATE, len(curve(view, "validation_loss").values) / 10)
    # Where validation never was good, averages that lag explain all of it, and may catch up.
    lags = bool(_lag(view)) and rise.gained < limits["gained"]
    severe = rise.share > limits["warning"] and enough and not (bold or lags)
    return _sign(view, "warning" if severe else "info", rise, accuracy if bold else None)


def _rise(view: View) -> _Rise:
    loss = curve(view, "validation_loss")
    if len(loss.values) < _EARLY + 3:
        raise NotEvaluated(f"needs {_EARLY + 3} evaluations")
    smooth = np.convolve(loss.values, np.ones(3) / 3, mode="valid")
    at = int(smooth.argmin())
    best, now = float(smooth[at]), float(smooth[-1])
    usual = float(np.median(np.abs(np.diff(loss.values)))) if len(loss.values) > 1 else 0.0
    since = len(smooth) - 1 - at
    start = float(np.fmax(untrained(view), loss.values[0]))
    gained = max(start - best, 0.25 * abs(start))
    significant = since >= _EARLY and now - best > 3 * usual and gained > 0
    share = (now - best) / gained if significant else 0.0
    of_start = (start - best) / abs(start) if start else 0.0
    return _Rise(best, now, share, of_start, since, float(loss.last[at + 1]))


def _metric(view: View, *names: str) -> Curve | None:
    """The curve of the first of these metrics that there is."""
    if not view.has("epoch_metrics"):
        return None
    rows = [row.name for row in view.rows("epoch_metrics")]
    found = next((name for name in names if name in rows), None)
    return curve(view, "epoch_metrics", rows.index(found)) if found else None


def _train_fall(view: View, step: float) -> float:
    """Share by which the training loss has fallen below all until the step; 0 if unknown."""
    epochs = _metric(view, "loss")
    loss = epochs or curve(view)
    before, after = loss.until(step + 1).values, loss.since(step + 1).values
    if not (len(before) and len(after)):
        return 0.0
    # Means over epochs speak for themselves; of single batches it takes a few.
    then = float(before.min() if epochs else np.median(before[-5:]))
    now = float(after[-1] if epochs else np.median(after[-5:]))
    return (then - now) / abs(then) if then else 0.0


def _accuracy_gain(view: View, step: float) -> float:
    """Rise of the validation accuracy since the step, over three evaluations; 0 if unknown."""
    accuracy = _metric(
        view, "val_accuracy", "val_acc", "val_binary_accuracy", "val_sparse_categorical_accuracy"
    )
    if accuracy is None or len(accuracy.values) < _EARLY + 3:
        return 0.0
    before = accuracy.until(step + 1).values[-3:]
    return float(accuracy.values[-3:].mean() - before.mean()) if len(before) else 0.0


def _sign(view: View, severity: Severity, rise: _Rise, accuracy: float | None) -> Sign:
    """What is said; `accuracy` is what the validation accuracy gained, if that is to be said."""
    step = view.record.step
    limit = view.limits["warning" if severity == "warning" else "info"]
    evidence = [
        Evidence("rise / what was gained before", rise.share, limit, "", "validation_loss", step),
        Evidence("lowest validation loss", rise.best, None, "", "validation_loss", int(rise.step)),
        Evidence(
            "fall of the training loss since then",
            _train_fall(view, rise.step),
            view.limits["train"],
            "",
            "epoch_metrics" if view.has("epoch_metrics") else "loss",
            step,
        ),
    ]
    if accuracy is not None:
        gain = view.limits["accuracy"]
        label = "rise of the validation accuracy since then"
        evidence.append(Evidence(label, accuracy, gain, "", "epoch_metrics", step))
    values = f"from {number(rise.best)} to {number(rise.now)}"
    head = f"Validation loss rose {values} while training loss falls"
    lag = _lag(view)
    if accuracy is not None and not lag:
        head = f"Over-confidence: validation loss and accuracy both rise, loss {values}"
    return Sign(
        severity=severity,
        title=head,
        onset=int(rise.step),
        evidence=tuple(evidence),
        causes=(*lag, *_causes(accuracy, sure=not lag)),
        fixes=(*(_SOONER for _ in lag), *_fixes(bold=accuracy is not None)),
        harmless="Only the accuracy matters to you, or the weights of the best epoch are kept.",
        check="The validation loss of the weights that you keep is the lowest of the run.",
    )


def _lag(view: View) -> tuple[Cause, ...]:
    """The averages of batch normalisation as a cause; empty if they have had time to catch up."""
    momentum, steps = float(view.facts.get("batch_norm_momentum", 0)), view.record.step + 1
    if steps * (1 - momentum) >= _CATCH_UP:
        return ()
    text = "the averages of batch normalisation, which only validation uses, lag behind"
    return (Cause(f"{text}: {steps} steps at a momentum of {number(momentum)}"),)


def _causes(accuracy: float | None, *, sure: bool) -> tuple[Cause, ...]:
    if accuracy is not None:
        support = f"epoch_metrics: the validation accuracy rose by {number(accuracy)}"
        text = "the model is right more often, and too sure where it is wrong"
        return (Cause(text, "likely", support) if sure else Cause(text),)
    return (
        Cause("the model has room to learn the training data by heart, and the time"),
        Cause("noise in the labels, which can only be learned by heart"),
        Cause("validation data of another kind than the training data"),
    )


_SOONER = Fix(
    "Let the averages of batch normalisation catch up sooner, or train longer.",
    "keras.layers.BatchNormalization(momentum=0.9)",
)


def _fixes(*, bold: bool) -> tuple[Fix, ...]:
    stop = Fix(
        "Stop at the best evaluation and keep its weights.",
        "keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)",
    )
    if bold:
        smoothing = "keras.losses.CategoricalCrossentropy(label_smoothing=0.1)"
        return Fix("Let the labels leave some doubt.", smoothing), stop
    return (
        stop,
        Fix("Add dropout, or weight decay.", "keras.layers.Dropout(0.3)"),
        Fix("Train on more data, or vary them.", 'keras.layers.RandomFlip("horizontal")'),
    )


_EPOCH = 20
_ROWS: Rows = {"metric": tuple(map(Row, ("loss", "val_loss", "val_accuracy")))}


def _each_epoch(value: Measure) -> Measure:
    """At the last step of each epoch the value for it, else None."""
    return lambda s: value(s // _EPOCH) if s % _EPOCH == _EPOCH - 1 else None


def _u_shape(epoch: int) -> float:
    return 1.0 + 1.3 * 0.7**epoch if epoch < 12 else 1.0 + 0.05 * (epoch - 12)


RULE = Rule(
    name="overfitting",
    code="GH606",
    group="loss",
    requires=("validation_loss",),
    limits={
        "info": 0.05,
        "warning": 0.5,
        "train": 0.05,
        "accuracy": 0.01,
        "worse": 1.0,
        "gained": 0.25,
    },
    references=(
        "Prechelt 1998, Early Stopping - But When?",
        "Guo et al. 2017, On Calibration of Modern Neural Networks (arXiv 1706.04599)",
    ),
    check=check,
    healthy=(
        case(
            "both fall",
            rows=_ROWS,
            run={
                "loss": lambda s: 2.3 * 0.99**s,
                "validation_loss": _each_epoch(lambda e: 0.1 + 2.3 * 0.82**e),
            },
            metric={"epoch_metrics": _each_epoch(lambda e: [2.3 * 0.82**e, 0.1, 0.9])},
            steps=800,
        ),
        case(
            "few validation samples: it jumps about its lowest",
            rows=_ROWS,
            run={
                "loss": lambda s: 2.3 * 0.99**s,
                "validation_loss": _each_epoch(
                    lambda e: 0.8 + 1.4 * 0.7**e + 0.15 * ((e * 7) % 5 - 2)
                ),
            },
            metric={"epoch_metrics": _each_epoch(lambda e: [2.3 * 0.82**e, 0.8, 0.8])},
            steps=800,
        ),
        case(
            "right more often, and too sure where it is wrong",
            rows=_ROWS,
            run={"loss": lambda s: 2.3 * 0.99**s, "validation_loss": _each_epoch(_u_shape)},
            metric={"epoch_metrics": _each_epoch(lambda e: [2.3 * 0.82**e, 1, 0.6 + 0.006 * e])},
            steps=800,
        ),
        case(
            "dropout keeps the training loss above, and it has stopped falling",
            rows=_ROWS,
            run={
                "loss": lambda s: 1.2 + 1.1 * 0.98**s,
                "validation_loss": _each_epoch(_u_shape),
            },
            metric={"epoch_metrics": _each_epoch(lambda e: [1.2 + 1.1 * 0.5**e, 1, 0.6])},
            steps=800,
        ),
        case(
            "averages of batch normalisation that are still those of the initial weights",
            rows=_ROWS,
            run={
                "loss": lambda s: 2.3 * 0.99**s,
                "validation_loss": _each_epoch(lambda e: 2.3 + 0.06 * e),
            },
            metric={"epoch_metrics": _each_epoch(lambda e: [2.3 * 0.82**e, 2, 0.1])},
            facts={"batch_norm_momentum": 0.99},
            steps=400,
        ),
        case(
            "three epochs",
            rows=_ROWS,
            run={
                "loss": lambda s: 2.3 * 0.99**s,
                "validation_loss": _each_epoch(lambda e: 1 + 0.3 * e),
            },
            metric={"epoch_metrics": _each_epoch(lambda e: [2.3 * 0.82**e, 1, 0.6])},
            steps=60,
        ),
    ),
    sick=(
        case(
            "it learns the data by heart",
            rows=_ROWS,
            run={"loss": lambda s: 2.3 * 0.99**s, "validation_loss": _each_epoch(_u_shape)},
            metric={"epoch_metrics": _each_epoch(lambda e: [2.3 * 0.82**e, 1, 0.6])},
            steps=800,
            severity="warning",
            onset=240,
        ),
        case(
            "chance lifts the accuracy, and the loss is worse than untrained",
            rows=_ROWS,
            run={
                "loss": lambda s: 2.3 * 0.99**s,
                "validation_loss": _each_epoch(lambda e: 2.3 + 0.1 * e),
            },
            metric={"epoch_metrics": _each_epoch(lambda e: [2.3 * 0.82**e, 2, 0.1 + 0.001 * e])},
            steps=800,
            severity="warning",
            onset=39,
        ),
        case(
            "labels without signal, from the start, in a loop of one's own",
            run={
                "loss": lambda s: 0.7 * 0.998**s,
                "validation_loss": _each_epoch(lambda e: 0.7 + 0.01 * e),
            },
            steps=800,
            severity="warning",
            onset=39,
        ),
    ),
)
