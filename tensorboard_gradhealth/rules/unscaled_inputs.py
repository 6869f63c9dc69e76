"""Input features differ widely in scale, or inputs or targets are large (or tiny) altogether.

## Meaning
One input feature varies more than a hundred times as much as the others, or all inputs are far
larger than the values near 1 that initial weights are made for; or the targets of a regression are,
and training does not get nearer to them. Or every input is 0, or next to it.

## Why it matters
The largest feature alone decides the outputs and the gradient of the first layer. The loss
starts far too high, many units are switched on or off by that one feature, and no learning rate
suits all weights: what is right for the large feature is nothing for the small ones. Outputs start
near 0, so a network that has to give thousands first spends its time on their mean.

## How it is measured
From the cumulative `input_features`, over features that vary (std > 1e-6 of their size), after
`samples` samples:

- `ratio` = largest std / lower median of the std. The lower median, because with two features
  the plain one hides the outlier. The widest feature must also exceed `large` in absolute terms.
- or the median over features of sqrt(mean^2 + std^2) exceeds `magnitude`, or that of a feature
  exceeds it and its largest absolute value exceeds `largest`.

It is a warning; an error if the damage is seen as well: the first loss was `loss_ratio` times
the entropy of the labels or the loss of later steps, or more than half of a layer is dead.
Targets are a warning if their sqrt(mean^2 + std^2) exceeds `target` under a linear (or unbounded)
output and a loss that is in their units, and by step `wait` the loss has fallen by less than `far`
and too slowly to reach 0 before the run ends (unless it began where their mean is already, by the
bias of the last layer), or it is `blown` times the first one higher at any step, or from half of
the run on it stands still between `mean_only` of the variance of the targets and 1 / `mean_only` of
it, which is what their mean alone gives (mean squared error of one output only).

Inputs are tiny, a warning, if none of at least two features that vary has a root mean square over
`tiny` or a value over five times that, and by step `still` the loss has fallen by less than `far`.

Inputs are an error if every recorded feature was 0 in all samples of at least two records while
labels or targets differ, and the gradient of the first kernel is exactly 0 with them.

Standardised features have a ratio near 1; with a feature beside them that is 1 in one of 10 000
samples and else 0, it is 100.

## Likely causes
- columns in different units (age in years, income in cents)
- image bytes from 0 to 255
- a scaler that was fitted and not applied
- for inputs of 0: a cast to whole numbers after scaling, or scaling twice
- prices, populations, counts as targets

## Fixes
Standardise each feature with statistics of the training set, or let the model do it with a
`Normalization` or `Rescaling` layer, so that serving does the same. Scale
targets too, and scale the predictions back.

## False alarms
Silent if the first layer normalises. Trees of counts with a long tail may be better served by a
logarithm than by standardising. Large targets that are learnt are fine. Integer ids that go into an
`Embedding` are not judged.

## References
- LeCun et al., Efficient BackProp, 1998, section 4.3
- Ioffe & Szegedy, Batch Normalization, arXiv 1502.03167
"""

from __future__ import annotations

import math
from typing import Any

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import (
    Case,
    Measure,
    Measures,
    Rows,
    case,
    features,
    found,
    hidden,
    kernel,
    samples,
)
from tensorboard_gradhealth.rules._scale_damage import scale_damage
from tensorboard_gradhealth.rules._support import WIDE, Scale, input_scale
from tensorboard_gradhealth.rules._targets import large_targets
from tensorboard_gradhealth.rules._tiny_inputs import STANDARDISE, blank, tiny
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, quoted, shown, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row


def check(view: View) -> Sign | None:
    """A sign while the features seen so far, or the targets, are not scaled."""
    if (targets := large_targets(view)) is not None:
        return targets
    if view.facts.get("input_normalised"):
        return None
    if (nothing := blank(view)) is not None:
        return nothing
    scale = input_scale(view)
    if scale is None:
        raise NotEvaluated("no dense input feature that varies was recorded")
    if scale.count < view.limits["samples"]:
        raise NotEvaluated(f"{scale.count} samples seen; needs {view.limits['samples']:.0f}")
    evidence = _uneven(view, scale) or _large(view, scale)
    if evidence is None:
        return tiny(view, scale)
    return _sign(view, scale, evidence)


def _sign(view: View, scale: Scale, evidence: Evidence) -> Sign:
    damage = scale_damage(view)
    uneven = evidence.label.startswith("largest")
    head = f"Inputs are large: values reach {number(scale.largest)}"
    if uneven:
        ratio = number(scale.ratio)
        head = title(f"{{}} varies {ratio} times as much as other inputs", scale.row)
    return Sign(
        severity="error" if damage else "warning",
        title=head,
        layers=scale.wide if uneven else (),
        onset=0,
        evidence=(evidence, *_context(view, scale, uneven), *damage),
        causes=(_cause(scale, uneven, damage),),
        fixes=_fixes(scale),
        harmless="A layer inside the model brings the inputs to a common scale.",
        check="The standard deviations of the features lie within a factor of 10, and the first "
        "loss is near that of guessing (ln K for K balanced classes).",
    )


def _uneven(view: View, scale: Scale) -> Evidence | None:
    if not (scale.ratio > view.limits["ratio"] and scale.widest_rms > view.limits["large"]):
        return None
    return _evidence(view, "largest / typical standard deviation", scale.ratio, "ratio", scale.row)


def _large(view: View, scale: Scale) -> Evidence | None:
    magnitude = view.limits["magnitude"]
    if scale.rms > magnitude:
        return _evidence(view, "typical size of the inputs", scale.rms, "magnitude", "")
    if scale.widest_rms > magnitude and scale.largest > view.limits["largest"]:
        return _evidence(view, "absolute value reached", scale.largest, "largest", scale.row)
    return None


def _evidence(view: View, label: str, value: float, limit: str, row: str) -> Evidence:
    step = view.record.step
    return Evidence(label, value, view.limits[limit], "", "input_features", step, row)


def _context(view: View, scale: Scale, uneven: bool) -> tuple[Evidence, ...]:
    step = view.record.step
    seen = Evidence("samples seen", scale.count, None, "", "input_features", step)
    if not uneven:
        return (seen,)
    return (
        Evidence("standard deviation", scale.std, None, "", "input_features", step, scale.row),
        Evidence("typical one", scale.typical_std, None, "", "input_features", step),
        seen,
    )


def _cause(scale: Scale, uneven: bool, damage: tuple[Evidence, ...]) -> Cause:
    text = "nothing scales the inputs"
    if uneven:
        text = f"{quoted(scale.row)} is in other units than the rest, and {text}"
    return shown(text, damage)


def _fixes(scale: Scale) -> tuple[Fix, ...]:
    if scale.smallest >= 0 and 200 < scale.largest <= 255 and scale.ratio < 100:
        return Fix("Bring image bytes to 0..1.", "keras.layers.Rescaling(1 / 255)"), STANDARDISE
    return STANDARDISE, Fix(
        "Or scale the arrays.", "x_train = (x_train - x_train.mean(0)) / x_train.std(0)"
    )


def _inputs(label: str, feature: Measures, count: int = 2, **given: Any) -> Case:
    """A run of so many input features, of which nothing else is said."""
    return case(label, rows={"feature": features(count)}, feature=feature, **given)


_TARGET: Rows = {"feature": (Row("x[0]", "", "input"), Row("y[0]", "", "target"))}
_HEAD = {"activation": "linear", "loss": "mean_squared_error", "units": 1}
_REGRESSION = {"outputs": [_HEAD], "loss": "mse", "optimizer": "Adam"}


def _regression(label: str, target: Measures, loss: Measure, **given: Any) -> Case:
    """A run whose target is learnt with the mean squared error, unless something else is given."""
    usual = {"rows": _TARGET, "facts": _REGRESSION}
    return case(label, run={"loss": loss}, feature=target, **{**usual, **given})


def _target(mean: float, std: float, low: float, high: float) -> Measures:
    """Such a target, beside a standardised input."""
    return samples([0, mean], [1, std], [-3, low], [3, high])


_PRICES = _target(3000, 500, 1000, 5000)

RULE = Rule(
    name="unscaled_inputs",
    code="GH102",
    group="data",
    requires=("input_features",),
    limits={
        "ratio": WIDE,
        "large": 10,
        "magnitude": 10,
        "largest": 100,
        "samples": 32,
        "loss_ratio": 10,
        "dead": 0.5,
        "target": 100,
        "wait": 40,
        "far": 0.1,
        "blown": 2,
        "mean_only": 0.75,
        "tiny": 0.02,
        "still": 100,
    },
    references=(
        "LeCun et al. 1998, Efficient BackProp, section 4.3",
        "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
    ),
    check=check,
    healthy=(
        _inputs(
            "standardised features with long tails",
            samples(0, [1, 1.1, 0.9], [-4, -3, -90], [4, 3, 120]),
            3,
        ),
        _inputs(
            "tiny features are odd, not harmful", samples(0, [1, 1e-4], [-4, -4e-4], [4, 4e-4])
        ),
        _inputs(
            "sparse indicators beside standardised features",
            samples(0, [1, 0.05, 0.06, 0.03, 0.009], [-3, 0, 0, 0, 0], [3, 1, 1, 1, 1]),
            5,
        ),
        _inputs(
            "one word out of four thousand",
            samples([0.00025] * 4, 0.0158, 0, 1),
            4,
            run={"loss": lambda s: 2.3},
            steps=200,
        ),
        _inputs(
            "tiny inputs that are learnt from",
            samples([0.001] * 4, 0.002, 0, 0.004),
            4,
            run={"loss": lambda s: 2.3 * 0.99**s},
            steps=300,
        ),
        _inputs("a constant feature", samples([0, 5], [1, 0], [-3, 5], [3, 5])),
        case(
            "inputs that carry nothing, as there is nothing to tell apart",
            rows={"feature": features(2), "variable": (kernel("dense/kernel"),)},
            variable={"gradient_norm": lambda s: 0},
            classes={"label_counts": lambda s: {"count": [32, 0]}},
            feature=samples(0, 0, 0, 0),
        ),
        case(
            "only the recorded features are 0",
            rows={"feature": features(2), "variable": (kernel("dense/kernel"),)},
            variable={"gradient_norm": lambda s: 0.3},
            classes={"label_counts": lambda s: {"count": [16, 16]}},
            feature=samples(0, 0, 0, 0),
        ),
        _regression("prices that are learnt", _PRICES, lambda s: 9e6 * 0.99**s + 1e4, steps=300),
        _regression(
            "prices that are learnt further while half of the run is over",
            _PRICES,
            lambda s: 4e6 * 0.98**s + 1e4,
            facts={**_REGRESSION, "epochs": 10, "steps": 20},
            steps=200,
        ),
        _regression(
            "targets in the hundreds that a long run reaches",
            _target(156, 77, 25, 346),
            lambda s: max(28400 - 30 * s, 2600),
            facts={**_REGRESSION, "epochs": 60, "steps": 22},
            steps=300,
        ),
        _regression(
            "targets in the hundreds, whose batches differ by more than the first steps gain",
            _target(300, 60, 120, 480),
            lambda s: max(300 - 0.003 * s * s, 16) + 10 * math.sin(2.4 * s + 4),
            facts={**_REGRESSION, "epochs": 30, "steps": 84},
            steps=400,
        ),
        _regression(
            "a last layer whose bias begins at the mean of the targets",
            _target(172, 72, 25, 480),
            lambda s: 56 - 0.03 * s,
            facts={
                **_REGRESSION,
                "outputs": [{"activation": "linear", "loss": "mean_absolute_error", "units": 1}],
                "loss": "mae",
                "epochs": 10,
                "steps": 57,
            },
            steps=100,
        ),
        _regression(
            "moderate targets that cannot be learnt",
            _target(20, 9, 1, 60),
            lambda s: 600.0,
            steps=300,
        ),
        _regression(
            "large counts under a Poisson loss",
            _target(300, 90, 1, 600),
            lambda s: 1200.0,
            facts={
                "outputs": [{"activation": "exponential", "loss": "poisson", "units": 1}],
                "loss": "poisson",
            },
            steps=300,
        ),
        _inputs(
            "the first layer normalises",
            samples([0.5, 500], [0.3, 290], 0, [1, 1000]),
            facts={"input_normalised": True},
        ),
    ),
    sick=(
        case(
            "every input is 0",
            rows={"feature": features(2), "variable": (kernel("dense/kernel"),)},
            variable={"gradient_norm": lambda s: 0},
            classes={"label_counts": lambda s: {"count": [16, 16]}},
            feature=samples(0, [0, 0], 0, 0),
            **found("error", 0),
        ),
        _inputs(
            "a feature a thousand times wider",
            samples([0.5, 500], [0.29, 290], 0, [1, 1000]),
            run={"loss": lambda s: 109 if s < 20 else 0.7},
            classes={"label_counts": lambda s: {"count": [50, 50]}},
            facts={"loss": "binary_crossentropy"},
            **found("error", 0, "x[1]"),
        ),
        case(
            "it has killed units",
            rows={"feature": features(2), "activation": (hidden("dense", 16),)},
            activation={"dead_fraction": lambda s: 0.6},
            feature=samples([0.5, 500], [0.29, 290], 0, [1, 1000]),
            **found("error", 0, "x[1]"),
        ),
        _inputs(
            "image bytes that are divided by 255 twice",
            samples([0.001] * 4, 0.002, 0, 0.004),
            4,
            run={"loss": lambda s: 2.3},
            steps=200,
            **found("warning", 0),
        ),
        _inputs(
            "image bytes that train all the same",
            samples([120] * 4, 70, 0, 255),
            4,
            run={"loss": lambda s: 2.3},
            **found("warning", 0),
        ),
        _regression(
            "targets in the thousands",
            _PRICES,
            lambda s: 9.2e6 - 4e3 * s,
            facts={**_REGRESSION, "input_normalised": True},
            steps=100,
            **found("warning", 0, "y[0]"),
        ),
        _regression(
            "targets that the run is too short to reach",
            _target(156, 77, 25, 346),
            lambda s: 28400 - 30 * s,
            facts={**_REGRESSION, "epochs": 20, "steps": 22},
            steps=80,
            **found("warning", 0, "y[0]"),
        ),
        _regression(
            "targets of which only the mean is learnt",
            _PRICES,
            lambda s: 9e6 * 0.95**s + 2.1e5,
            facts={**_REGRESSION, "epochs": 20, "steps": 20},
            steps=400,
            **found("warning", 0, "y[0]"),
        ),
        _regression(
            "targets whose gradients throw the weights away",
            _PRICES,
            lambda s: 9.2e6 * 30**s,
            steps=6,
            **found("warning", 0, "y[0]"),
        ),
    ),
)
