"""Some classes are far rarer than others, or come one after the other.

## Meaning
Among the labels seen so far one class is more than ten times as frequent as another; or each
batch holds almost only one class; or only one class was seen at all.

## Why it matters
Always naming the most frequent class is then right most of the time, and a network can stop at
that: its accuracy looks high, and the rare class, which is often the one that matters, is never
found. Labels that come in order of their class make each batch undo what the one before taught.

## How it is measured
From the cumulative `label_counts`, once `samples` labels and 20 per class were seen, over the
classes that were seen:

- imbalance: count of the most frequent class / count of the rarest over `ratio`, still so if the
  rarest count is low by two standard deviations of chance
- order: the mean entropy of the labels added from record to record, at least 6 times 16 of them,
  is under `mixed` of the entropy of all labels
- only one class among all labels, from step `one_class_step` on

All of them are information by themselves; only one class is a warning after a whole epoch.
Imbalance is a warning if the predictions prove that the network has stopped there: after half of
the run, or step `first_judged` if that comes first, the entropy of `predicted_share` over five
records is under `collapsed` of that of the labels, its largest class is that of the labels, and the
mean loss of the last 100 steps, or the best of three or more validation losses, is still over
`uninformed` of what knowing the class frequencies alone gives. Order is a warning if over
`one_class` of the latest predictions fall on one class that is not as frequent among all labels.

## Likely causes
- rare events, and a loss that counts every sample alike
- a data set that is sorted by class, and a `tf.data` pipeline that does not shuffle enough of it
- a label column that was read wrongly

## Fixes
Give rare classes more weight (`sample_weight`, or `class_weight` where each sample has one label),
or sample them more often; shuffle over the whole data set; judge by recall or the area under the
precision-recall curve instead of accuracy.

## False alarms
Rare events that are meant to be rare are information only, and nothing is said of imbalance where
samples are weighted already. Probabilities of rare events may be
well calibrated although none exceeds 0.5: the loss then falls below that of the class
frequencies, and there is no warning. Streams whose parts hold few classes look sorted.

## References
- He & Garcia, Learning from Imbalanced Data, IEEE TKDE 2009
- Johnson & Khoshgoftaar, Survey on deep learning with class imbalance, Journal of Big Data 2019
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Case, Measures, case
from tensorboard_gradhealth.rules._labels import MIXED, Doubles, entropy, order
from tensorboard_gradhealth.rules._loss import curve, planned_steps, recent
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, percent, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row

_EVALUATIONS = 3  # One may be unlucky.

_SHUFFLE = (
    Fix("Shuffle arrays in each epoch.", "model.fit(x, y, shuffle=True)"),
    Fix(
        "Shuffle a dataset of batches over its whole length.",
        "data = data.unbatch().shuffle(100_000).batch(32)",
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Labels:
    """Counts by class, float64 `[classes]`, and what follows from them."""

    counts: Doubles

    @property
    def share(self) -> Doubles:
        return np.asarray(self.counts / self.counts.sum(), np.float64)

    @property
    def most(self) -> int:
        return int(self.counts.argmax())

    @property
    def rarest(self) -> int:
        """The rarest of the classes that were seen."""
        return int(np.where(self.counts > 0, self.counts, np.inf).argmin())

    @property
    def ratio(self) -> float:
        return float(self.counts[self.most] / self.counts[self.rarest])

    @property
    def certain_ratio(self) -> float:
        """The same, with two standard deviations of the smaller count in favour of an even one."""
        rare = float(self.counts[self.rarest])
        return float(self.counts[self.most] / (rare + 2 * math.sqrt(rare)))


def check(view: View) -> Sign | None:
    """A sign while the classes are uneven, ordered, or only one."""
    counts = view.latest("label_counts", "count").astype(np.float64)
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise NotEvaluated("the labels are not classes from 0 on")
    needed = max(view.limits["samples"], 20 * len(counts))
    if counts.sum() < needed:
        raise NotEvaluated(f"{counts.sum():.0f} labels seen; needs {needed:.0f}")
    labels = _Labels(counts)
    if (counts > 0).sum() == 1:
        if view.record.step < view.limits["one_class_step"]:
            raise NotEvaluated("only one class was seen so far")
        return _one_class(view, labels) if len(counts) > 1 else None
    if (ordered := order(view)) < view.limits["mixed"]:
        return _sorted(view, labels, ordered)
    if view.facts.get("sample_weights"):
        return None  # the remedy is in use already
    return _imbalanced(view, labels) if labels.certain_ratio > view.limits["ratio"] else None


def _predicted(view: View, records: int) -> Doubles | None:
    """Mean share of the predictions by class over the latest records; None if not known."""
    if not view.has("predicted_share"):
        return None
    past = view.past("predicted_share", records).astype(np.float64)
    past = past[np.isfinite(past).all(axis=1)]
    share: Doubles = past.mean(axis=0) if len(past) else np.empty(0)
    return share if share.sum() > 0.99 else None


def _imbalanced(view: View, labels: _Labels) -> Sign:
    rows, limits, step = view.rows("label_counts"), view.limits, view.record.step
    proof = _proof(view, labels)
    rare, most = rows[labels.rarest].name, rows[labels.most].name
    head = title(
        f"Class {{}} has {percent(labels.share[labels.rarest])} of the labels"
        + (", and no prediction" if proof else ""),
        rare,
    )
    text = f"always answering class {most} is right for {percent(labels.share[labels.most])}"
    cause = Cause(text)
    if proof:
        support = f"predicted_share: {number(proof[0].value)} of the predictions name it"
        cause = Cause(text, "likely", support)
    label = "labels of the most frequent class / of the rarest"
    return Sign(
        severity="warning" if proof else "info",
        title=head,
        evidence=(
            Evidence(label, labels.ratio, limits["ratio"], "", "label_counts", step, rare),
            Evidence("labels seen", float(labels.counts.sum()), None, "", "label_counts", step),
            *proof,
        ),
        causes=(cause,),
        fixes=_weights(view),
        harmless="The class is meant to be rare, and recall or a cost decides, not accuracy.",
        check="predicted_share of the rare class rises towards its share of the labels.",
    )


def _proof(view: View, labels: _Labels) -> tuple[Evidence, ...]:
    """What shows that the network knows the class frequencies and no more; empty if nothing."""
    limits, step = view.limits, view.record.step
    predicted, known = _predicted(view, 5), float(entropy(labels.counts))
    if predicted is None or len(predicted) != len(labels.counts):
        return ()
    if step < min(planned_steps(view) / 2 or np.inf, limits["first_judged"]):
        return ()
    if not ("crossentropy" in str(view.facts.get("loss", "")) and known > 0):
        return ()
    surprise = float(entropy(predicted)) / known
    source, loss = _least_informed(view)
    loss /= known
    if int(predicted.argmax()) != labels.most or not surprise < limits["collapsed"]:
        return ()
    if not loss > limits["uninformed"]:
        return ()
    name = view.rows("label_counts")[labels.most].name
    top, signal = float(predicted.max()), "predicted_share"
    return (
        Evidence(
            "share of the predictions", top, float(labels.share.max()), "", signal, step, name
        ),
        Evidence(
            "loss / loss of the class frequencies", loss, limits["uninformed"], "", source, step
        ),
    )


def _least_informed(view: View) -> tuple[str, float]:
    """The higher of the latest training loss and the best validation loss, and its signal.

    Rare samples that are learnt by heart lower the loss, but no sample that is new is found.
    """
    losses = {"loss": _mean_loss(view)}
    if view.has("validation_loss"):
        validation = curve(view, "validation_loss").values
        if len(validation) >= _EVALUATIONS:
            losses["validation_loss"] = float(validation.min())
    return max(losses.items(), key=lambda item: item[1])


def _mean_loss(view: View) -> float:
    """Mean, not median: batches without a rare sample have a low loss, and those with one pay."""
    loss = recent(view, 100, 4)
    return (
        float(np.average(loss.values, weights=loss.last - loss.first + 1))
        if loss.steps
        else math.nan
    )


def _weights(view: View) -> tuple[Fix, ...]:
    # Of all labels, which those seen are a part of, and with any number of them per sample.
    label = "y.argmax(-1)" if view.facts.get("loss") == "categorical_crossentropy" else "y"
    code = (
        f"_, index, count = np.unique({label}, return_inverse=True, return_counts=True)\n"
        "weight = index.size / (len(count) * count)\n"
        f"model.fit(x, y, sample_weight=weight[index.reshape({label}.shape)])"
    )
    return (
        Fix("Let rare classes weigh as much as the others.", code),
        Fix(
            "Judge by a metric that a constant answer cannot win.",
            "metrics=[keras.metrics.AUC(curve='PR')]",
        ),
    )


def _sorted(view: View, labels: _Labels, ordered: float) -> Sign:
    step, limits = view.record.step, view.limits
    label = "entropy of the labels at a time / of all labels"
    evidence = Evidence(label, ordered, limits["mixed"], "", "label_counts", step)
    followed = _followed(view, labels)
    cause = Cause("the data are ordered by class and not shuffled over their whole length")
    if followed:
        support = f"predicted_share: {percent(followed[0].value)} of the predictions name one class"
        cause = dataclasses.replace(cause, confidence="likely", support=support)
    return Sign(
        severity="warning" if followed else "info",
        title="The labels come one class after the other",
        onset=int(view.past_steps("label_counts")[0, 0]),
        evidence=(evidence, *followed),
        causes=(cause,),
        fixes=(*_SHUFFLE,),
        harmless="The order is meant: a curriculum, or a stream.",
        check="Each batch holds about the same share of every class.",
    )


def _followed(view: View, labels: _Labels) -> tuple[Evidence, ...]:
    """What shows that the network names the class of the hour; empty if it does not."""
    predicted, limit = _predicted(view, 1), view.limits["one_class"]
    if predicted is None or len(predicted) != len(labels.counts):
        return ()
    top = int(predicted.argmax())
    share = float(predicted[top])
    if not share > limit > labels.share[top] + 0.1:
        return ()
    name, step = view.rows("label_counts")[top].name, view.record.step
    label = "share of the latest predictions"
    return (Evidence(label, share, limit, "", "predicted_share", step, name),)


def _one_class(view: View, labels: _Labels) -> Sign:
    name, step = view.rows("label_counts")[labels.most].name, view.record.step
    count = float(labels.counts.sum())
    epoch = view.facts.get("steps")
    whole = isinstance(epoch, int) and view.record.step >= epoch
    return Sign(
        severity="warning" if whole else "info",
        onset=0,
        title=title(f"All {count:.0f} labels so far are of class {{}}", name),
        evidence=(Evidence("classes seen", 1, 2, "", "label_counts", step, name),),
        causes=(
            Cause("the data are ordered by class and not shuffled"),
            Cause("the label column was read wrongly"),
            Cause("the other classes are very rare"),
        ),
        fixes=(
            Fix("Count the labels.", "print(np.unique(y_train, return_counts=True))"),
            *_SHUFFLE,
        ),
        harmless="The other classes are too rare to have come up yet.",
        check="label_counts shows every class.",
    )


def _labels_of(*share: float, batch: int = 64) -> Measures:
    return {"label_counts": lambda s: {"count": np.array(share) * batch * (s + 1)}}


def _case(label: str, labels: Measures, predicted: Any, loss: Any, **expected: Any) -> Case:
    classes = len(labels["label_counts"](0)["count"])
    measures = labels if predicted is None else {**labels, "predicted_share": predicted}
    return case(
        label,
        rows={"class": tuple(Row(str(i), role="label") for i in range(classes))},
        run={"loss": loss, **expected.pop("run", {})},
        classes=measures,
        facts={"loss": "sparse_categorical_crossentropy", **expected.pop("facts", {})},
        steps=expected.pop("steps", 600),
        **expected,
    )


def _in_order(s: int) -> dict[str, Any]:
    """Ten batches of 32 of each of three classes, over and over."""
    whole, rest = divmod(s + 1, 30)
    counts = [320 * whole + 32 * min(max(rest - 10 * i, 0), 10) for i in range(3)]
    return {"count": np.array(counts)}


_RARE = _labels_of(0.95, 0.05)  # of entropy 0.199

RULE = Rule(
    name="class_imbalance",
    code="GH103",
    group="data",
    requires=("label_counts",),
    limits={
        "ratio": 10,
        "samples": 256,
        "first_judged": 500,
        "collapsed": 0.2,
        "uninformed": 0.9,
        "mixed": MIXED,
        "one_class": 0.95,
        "one_class_step": 100,
    },
    references=(
        "He & Garcia 2009, Learning from Imbalanced Data (IEEE TKDE)",
        "Johnson & Khoshgoftaar 2019, Survey on deep learning with class imbalance (Journal of Big "
        "Data)",
    ),
    check=check,
    healthy=(
        _case("even classes", _labels_of(0.3, 0.4, 0.3), lambda s: [1, 0, 0], lambda s: 1.1),
        _case("imbalanced but learned", _RARE, lambda s: [0.95, 0.05], lambda s: 0.2 * 0.99**s),
        _case(
            "rare labels weigh more, so the loss is of another scale",
            _RARE,
            lambda s: [1, 0],
            lambda s: 0.7,
            facts={"sample_weights": True},
        ),
        _case("imbalanced, predictions unknown", _RARE, None, lambda s: 0.2),
        _case(
            "at first all are named so", _RARE, lambda s: [1, 0], lambda s: 0.7 * 0.99**s, steps=120
        ),
        _case("calibrated, if never over one half", _RARE, lambda s: [1, 0], lambda s: 0.15),
        _case("many classes, few labels", _labels_of(*[0.01] * 100), None, lambda s: 4.6, steps=20),
        _case(
            "of batches that small nothing can be said",
            {"label_counts": lambda s: {"count": 15 * _in_order(s)["count"] / 32}},
            lambda s: [1, 0, 0],
            lambda s: 1.0,
            steps=50,
        ),
        _case(
            "an order that the network does not follow",
            {"label_counts": _in_order},
            lambda s: [0.3, 0.4, 0.3],
            lambda s: 0.9 * 0.99**s,
        ),
        _case(
            "a rare class that chance made rarer",
            {"label_counts": lambda s: {"count": np.array([239, 94, 21])}},
            lambda s: [1, 0, 0],
            lambda s: 1.0,
        ),
        _case(
            "never over one half, but better than the frequencies on new samples",
            _RARE,
            lambda s: [1, 0],
            lambda s: 0.1,
            run={"validation_loss": lambda s: 0.16 if s % 100 == 99 else None},
        ),
        _case("one class so far", _labels_of(1, 0), lambda s: [1, 0], lambda s: 0.1),
    ),
    sick=(
        _case(
            "only the frequent class is predicted",
            _RARE,
            lambda s: [1, 0],
            lambda s: 0.2,
            severity="warning",
            onset=4,
        ),
        _case(
            "rare samples are learnt by heart, and none that is new is found",
            _RARE,
            lambda s: [1, 0],
            lambda s: 0.1,
            run={"validation_loss": lambda s: 0.2 if s % 100 == 99 else None},
            severity="warning",
            onset=4,
        ),
        _case(
            "predictions follow the class of the hour",
            {"label_counts": _in_order},
            lambda s: np.eye(3)[s // 10 % 3],
            lambda s: 1.0 + s % 3,
            severity="warning",
            onset=0,
        ),
    ),
)
