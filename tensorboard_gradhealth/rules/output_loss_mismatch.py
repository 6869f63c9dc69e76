"""The outputs of the model are not what its loss expects.

## Meaning
The function that the model ends with and the loss that it is compiled with do not belong
together: a softmax over one unit, logits where the loss expects probabilities, a sigmoid where
the targets go beyond 1.

## Why it matters
Such a model trains without an error message, and learns badly or not at all: its outputs cannot
reach the targets, or the gradient is zero where they are clipped. It costs hours, because the
learning rate, the data and the layers are looked at first.

## How it is measured
Read from the compiled model before the first step: units and function of each output, and the
name and `from_logits` of its loss; for regression also the range of the targets in
`input_features`. Judged are only functions that are known: a result that a custom layer or
`call` computes is not. It is

- an error: a softmax over one unit (it is always 1), or over the samples of a batch;
  one unit under a categorical cross-entropy; a softmax under a regression loss for one target
  column, such as numbers of classes (the outputs add up to 1, and so do not follow the target);
  a `categorical_crossentropy`, `poisson` or `kl_divergence` of outputs that may be negative;
  targets of which more than `unreachable` standard deviations lie outside what the outputs reach,
  seen from their mean; labels outside 0 to 1 under a cross-entropy, whose loss is negative then
- a warning: any other function that the loss does not expect; a dropout or batch normalisation
  behind the softmax or sigmoid, which leaves no probabilities; a softmax or sigmoid of what is
  within bounds already, such as of a softmax; targets of which only the extremes are out of reach;
  a ReLU in front of the softmax, if from step `settled` on some frequent class is never predicted
- information: a mean squared error between probabilities and classes, which works, if slowly;
  `from_logits=True` behind the softmax or sigmoid of its loss, which Keras finds; a focal loss
  does not

Keras on TensorFlow repairs some of this silently: behind a softmax or sigmoid it finds the logits
and computes the loss from those, whatever `from_logits` says. The loss then falls as it should,
and only predictions, other backends, mixed precision and exported models show the fault.

## Likely causes
- a head copied from another task (binary, multi-class, multi-label, regression)
- `from_logits=True` added or left out when the last activation was changed

## Fixes
One unit with sigmoid and `BinaryCrossentropy` for two classes; K units with softmax and
`(Sparse)CategoricalCrossentropy` for K classes, or linear units and `from_logits=True`; linear
units and `MeanSquaredError` for regression.

## False alarms
A softplus or ReLU on targets that are never negative, and a sigmoid on targets between 0 and 1
(the pixels of an autoencoder), are right. Custom losses are not judged.

## References
- Bishop, Pattern Recognition and Machine Learning, 2006, section 4.3.6 (canonical link functions)
- Schoop et al., UMLAUT: Debugging Deep Learning Programs using Program Structure and Model
  Behavior, CHI 2021
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Case, Measures, case, features, found, samples
from tensorboard_gradhealth.rules._heads import Fault, fault_of
from tensorboard_gradhealth.rules._regression import REGRESSION, fault_of_targets
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import quoted, title
from tensorboard_gradhealth.types import SEVERITIES, Cause, Evidence, Fix, Row

_RELU = ("relu", "relu6")


def check(view: View) -> Sign | None:
    """A sign for the output that suits its loss least."""
    heads = view.facts.get("outputs")
    if not heads:
        raise NotEvaluated("the run does not say how the model ends and what its loss is")
    known = [head for head in heads if _end(head) and head.get("loss")]
    if len(heads) == 1 and (beyond := _beyond_classes(view, heads[0])):
        return _sign(view, heads[0], beyond, heads[:1])
    if not known:
        raise NotEvaluated("the function of the output or the loss is not a known one")
    faults = [(head, fault) for head in known if (fault := _fault(view, head, len(heads)))]
    if not faults:
        return None
    head, fault = max(faults, key=lambda pair: SEVERITIES.index(pair[1].severity))
    return _sign(view, head, fault, [head for head, _ in faults])


def _sign(
    view: View, head: Mapping[str, Any], fault: Fault, heads: Sequence[Mapping[str, Any]]
) -> Sign:
    return Sign(
        severity=fault.severity,
        onset=fault.onset,
        title=title(fault.title, head["layer"]),
        layers=tuple(dict.fromkeys(head["layer"] for head in heads)),
        evidence=(fault.evidence, *_loss(view)),
        causes=(_cause(head, fault), Cause("the head was copied from another kind of task")),
        fixes=(Fix(fault.fix, fault.code),),
        harmless=fault.harmless,
        check="The finding is gone at the first step, and the first loss is near that of guessing.",
    )


def _beyond_classes(view: View, head: Mapping[str, Any]) -> Fault | None:
    """Labels outside 0 to 1 under a cross-entropy: nothing else makes its loss negative."""
    if not head.get("loss", "").endswith("_crossentropy") or head["loss"].startswith("sparse"):
        return None
    loss = view.past("loss", 5)[:, 0] if view.has("loss") else np.empty(0)
    if len(loss) < 5 or not (loss < -0.01).all():
        return None
    step = view.record.step
    return Fault(
        "error",
        "The loss of {} is negative: labels lie outside 0 to 1",
        f"{head['loss']} of labels from 0 to 1 is never negative",
        "Give two classes as 0 and 1; several take a unit each, softmax and the sparse loss.",
        'y_train = (y_train > y_train.min()).astype("float32")  # two classes'
        if head["units"] == 1
        else 'model.compile(optimizer, loss="sparse_categorical_crossentropy")',
        Evidence("loss", float(loss[-1]), 0.0, "", "loss", step),
        onset=0,
    )


def _unreached_classes(view: View, head: Mapping[str, Any]) -> Fault | None:
    """A ReLU among logits, where some class is never predicted: its unit may be dead."""
    relu = head["activation"] in _RELU or (
        head["activation"] == "softmax" and head.get("before") in _RELU
    )
    if not relu or not view.has("predicted_share") or not view.has("label_counts"):
        return None
    shares = view.past("predicted_share", field="max")
    measured = shares[np.isfinite(shares).all(axis=1)][-10:]
    counts = view.latest("label_counts", "count")
    if view.record.step < view.limits["settled"] or len(measured) < 10 or not counts.sum() > 0:
        return None
    frequent = counts > 0.5 * counts.sum() / len(counts)
    missing = np.flatnonzero(frequent & (measured.max(axis=0) == 0))
    if not len(missing):
        return None
    name = view.rows("predicted_share")[missing[0]].name
    share = float(counts[missing[0]] / counts.sum())
    return Fault(
        "warning",
        f"{{}} never predicts {len(missing)} of {len(counts)} classes: relu cuts its logits off",
        "relu in front of the softmax: the unit of a class that gives 0 for all has no gradient",
        "Leave the last relu out.",
        f"keras.layers.Dense({head['units'] or 'classes'})  # without an activation",
        Evidence("share of the labels of a class that is never predicted", share, 0.0, "",
                 "predicted_share", view.record.step, name),
        onset=0,
    )  # fmt: skip


def _end(head: Mapping[str, Any]) -> str:
    """What an output comes out of, as far as it is known."""
    return str(head.get("behind") or head.get("activation", ""))


def _fault(view: View, head: Mapping[str, Any], outputs: int) -> Fault | None:
    if head["loss"] not in REGRESSION:
        return fault_of(head) or _unreached_classes(view, head)
    if head["activation"] == "batch_softmax":
        return fault_of(head)
    if head["activation"] == "softmax" and head["units"] == 1:
        return fault_of(head)
    # Of several outputs it is not known which target belongs to which.
    return fault_of_targets(view, head) if outputs == 1 and view.has("input_features") else None


def _loss(view: View) -> tuple[Evidence, ...]:
    if not view.has("loss") or not len(view.early("loss")):
        return ()
    first = float(view.early("loss")[0, 0])
    expected = view.scalar("expected_initial_loss")
    if not expected > 0:  # not recorded, or the only class of all is guessed without effort
        return (Evidence("first loss", first, None, "", "loss"),)
    return (Evidence("first loss / loss of guessing", first / expected, 2.0, "", "loss"),)


def _cause(head: Mapping[str, Any], fault: Fault) -> Cause:
    logits = "(from_logits=True)" if head["from_logits"] else ""
    support = f"the model: {quoted(head['layer'])} ends with {_end(head)}"
    return Cause(fault.cause, "likely", f"{support}, under {head['loss']}{logits}")


def _head(
    activation: str,
    loss: str,
    units: int = 1,
    from_logits: bool = False,
    before: str = "",
    behind: str = "",
) -> dict[str, Any]:
    return {
        "outputs": [
            {
                "layer": "dense_1",
                "units": units,
                "activation": activation,
                "before": before,
                "behind": behind,
                "loss": loss,
                "from_logits": from_logits,
                "label_smoothing": 0.0,
            }
        ]
    }


def _regression_case(label: str, activation: str, feature: Measures, **expected: Any) -> Case:
    units = len(np.atleast_1d(feature["input_features"](0)["mean"]))
    return case(
        label,
        rows={"feature": tuple(Row(f"y[{i}]", "", "target") for i in range(units))},
        run={"loss": lambda s: 0.9},
        feature=feature,
        facts=_head(activation, "mean_squared_error", expected.pop("units", units)),
        steps=6,
        **expected,
    )


def _class_case(label: str, facts: dict[str, Any], **expected: Any) -> Case:
    return case(label, run={"loss": lambda s: 0.69}, facts=facts, steps=6, **expected)


_CCE, _SCCE = "categorical_crossentropy", "sparse_categorical_crossentropy"
_ERROR, _WARNING = found("error", 0, "dense_1"), found("warning", 0, "dense_1")

RULE = Rule(
    name="output_loss_mismatch",
    code="GH202",
    group="setup",
    limits={"unreachable": 1.0, "tolerance": 0.1, "classes": 0.98, "settled": 60},
    inhibited_by=(),
    references=(
        "Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.6",
        "Schoop et al. 2021, UMLAUT (CHI)",
    ),
    check=check,
    healthy=(
        case(
            "a ReLU in front of the softmax, all classes of which come up",
            rows={"class": tuple(Row(str(i), "", "label") for i in range(4))},
            run={"loss": lambda s: 1.39 * 0.99**s},
            classes={
                "label_counts": lambda s: {"count": [8 * (s + 1)] * 4},
                "predicted_share": lambda s: [0.4, 0.3, 0.2, 0.1] if s % 5 == 0 else None,
            },
            facts=_head("softmax", _SCCE, 4, before="relu"),
            steps=300,
        ),
        _class_case("a sigmoid for two classes", _head("sigmoid", "binary_crossentropy")),
        _class_case("a softmax for ten", _head("softmax", _SCCE, 10)),
        _class_case("logits that the loss knows to be logits", _head("linear", _CCE, 10, True)),
        _class_case("log-probabilities are logits", _head("log_softmax", _CCE, 10, True)),
        _class_case("positive outputs, which the loss divides", _head("softplus", _CCE, 3)),
        _class_case(
            "logits that are normalised",
            _head("", _SCCE, 10, True, before="sigmoid", behind="batch_normalization"),
        ),
        _class_case(
            "noise on outputs between 0 and 1", _head("sigmoid", "my_loss", 10, behind="dropout")
        ),
        _class_case("a head that `call` computes", _head("", _SCCE, 10)),
        _class_case("an output of which nothing is known", {"outputs": [{"loss": ""}]}),
        _class_case("a loss of the user's own", _head("linear", "my_loss", 10)),
        _class_case("counts", _head("exponential", "poisson")),
        _class_case("margins", _head("tanh", "hinge")),
        _class_case("a softmax of a ReLU", _head("softmax", _SCCE, 5, before="relu")),
        _class_case("logits that Keras finds", _head("softmax", _SCCE, 10, True)),
        _regression_case("a softmax for ten shares", "softmax", samples([0.1] * 10, 0.1, 0, 0.7)),
        _regression_case("standardised targets", "linear", samples(0, 1, -4, 4)),
        _regression_case("prices", "relu", samples(30, 12, 0.5, 90)),
        _regression_case("pixels", "sigmoid", samples([0.4] * 3, 0.3, 0, 1)),
        _regression_case("a tanh that is reached", "tanh", samples(0, 0.5, -1.02, 1.01)),
        _regression_case("classes", "sigmoid", samples(0.5, 0.5, 0, 1)),
        _regression_case("a dummy target", "linear", samples(0, 0, 0, 0), units=8),
        case(
            "inputs are not targets",
            rows={"feature": features(2)},
            feature=samples([0, 5], 1, -4, 9),
            facts=_head("sigmoid", "mean_squared_error"),
        ),
        case(
            "several outputs, of which none is known to go with a target",
            rows={"feature": (Row("y[0]", "", "target"), Row("y[1]", "", "target"))},
            feature=samples([0, 0.5], 1, [-4, 0], [4, 1]),
            facts={"outputs": 2 * _head("sigmoid", "mean_squared_error")["outputs"]},
        ),
    ),
    sick=(
        case(
            "classes of -1 and 1 for a sigmoid",
            run={"loss": lambda s: 0.7 - 0.1 * s},
            facts=_head("sigmoid", "binary_crossentropy"),
            **_ERROR,
        ),
        case(
            "a ReLU in front of the softmax has lost a class",
            rows={"class": tuple(Row(str(i), "", "label") for i in range(4))},
            run={"loss": lambda s: 1.39 * 0.99**s},
            classes={
                "label_counts": lambda s: {"count": [8 * (s + 1)] * 4},
                "predicted_share": lambda s: [0.4, 0.3, 0.3, 0.0] if s % 5 == 0 else None,
            },
            facts=_head("softmax", _SCCE, 4, before="relu"),
            steps=300,
            **_WARNING,
        ),
        _class_case("a softmax over one unit", _head("softmax", "binary_crossentropy"), **_ERROR),
        _class_case("logits taken for probabilities", _head("linear", _CCE, 10), **_ERROR),
        _class_case("integer labels and no softmax", _head("linear", _SCCE, 10), **_WARNING),
        _class_case("one unit for classes", _head("sigmoid", _SCCE), **_ERROR),
        _class_case(
            "sigmoids for classes that exclude each other", _head("sigmoid", _CCE, 10), **_WARNING
        ),
        _class_case(
            "a softmax twice",
            _head("softmax", "categorical_focal_crossentropy", 10, True),
            **_WARNING,
        ),
        _class_case("no sigmoid", _head("linear", "binary_crossentropy"), **_WARNING),
        _class_case(
            "a ReLU logit cannot say no", _head("relu", "binary_crossentropy", 1, True), **_WARNING
        ),
        _class_case(
            "a softmax of a softmax", _head("softmax", _SCCE, 10, before="softmax"), **_WARNING
        ),
        _class_case(
            "a softmax where several can be true",
            _head("softmax", "binary_crossentropy", 5),
            **_WARNING,
        ),
        _class_case(
            "probabilities that are normalised",
            _head("", _SCCE, 10, before="softmax", behind="batch_normalization"),
            **_WARNING,
        ),
        _class_case(
            "probabilities that are dropped",
            _head("softmax", _SCCE, 10, behind="dropout"),
            **_WARNING,
        ),
        _class_case(
            "a softmax over one unit that is dropped",
            _head("softmax", "binary_crossentropy", behind="dropout"),
            **_ERROR,
        ),
        _class_case("a softmax over the samples", _head("batch_softmax", _SCCE, 10), **_ERROR),
        _class_case("a count below 0", _head("linear", "poisson"), **_ERROR),
        _class_case("a margin above 0", _head("sigmoid", "hinge"), **_WARNING),
        _regression_case("a sigmoid on prices", "sigmoid", samples(30, 12, 0.5, 90), **_ERROR),
        _regression_case(
            "a ReLU on standardised targets", "relu", samples([0, 0], 1, -3, 3), **_ERROR
        ),
        _regression_case(
            "a few targets out of reach", "sigmoid", samples(0.4, 0.1, 0, 1.5), **_WARNING
        ),
        _regression_case(
            "a softmax for numbers of classes",
            "softmax",
            samples(4.5, 2.87, 0, 9),
            units=10,
            **_ERROR,
        ),
        _regression_case(
            "a softmax of two for the number of a class",
            "softmax",
            samples(0.5, 0.5, 0, 1),
            units=2,
            **_ERROR,
        ),
        _regression_case(
            "ten outputs for one target", "linear", samples(0, 1, -3, 3), units=10, **_WARNING
        ),
    ),
)
