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

import numpy as np

from tensorboard_gradhealth.rules._base import NotEvaluated, Rule, Sign
from tensorboard_gradhealth.rules._cases import Measures, Rows, case, features, hidden, kernel
from tensorboard_gradhealth.rules._support import WIDE, Scale, input_scale, loss_drop, median_loss
from tensorboard_gradhealth.rules._targets import large_targets
from tensorboard_gradhealth.rules._view import View
from tensorboard_gradhealth.rules._wording import number, quoted, title
from tensorboard_gradhealth.types import Cause, Evidence, Fix, Row


def check(view: View) -> Sign | None:
    """A sign while the features seen so far, or the targets, are not scaled."""
    if (targets := large_targets(view)) is not None:
        return targets
    if view.facts.get("input_normalised"):
        return None
    if (blank := _blank(view)) is not None:
        return blank
    scale = input_scale(view)
    if scale is None:
        raise NotEvaluated("no dense input feature that varies was recorded")
    if scale.count < view.limits["samples"]:
        raise NotEvaluated(f"{scale.count} samples seen; needs {view.limits['samples']:.0f}")
    evidence = _uneven(view, scale) or _large(view, scale)
    if evidence is None:
        return _tiny(view, scale)
    damage = _damage(view)
    uneven = evidence.label.startswith("largest")
    head = f"{{}} varies {number(scale.ratio)} times as much as other inputs"
    return Sign(
        severity="error" if damage else "warning",
        title=title(head, scale.row)
        if uneven
        else f"Inputs are large: values reach {number(scale.largest)}",
        layers=scale.wide if uneven else (),
        onset=0,
        evidence=(evidence, *_context(view, scale, uneven), *damage),
        causes=(_cause(scale, uneven, damage),),
        fixes=_fixes(scale),
        harmless="A layer inside the model brings the inputs to a common scale.",
        check="The standard deviations of the features lie within a factor of 10, and the first "
        "loss is near that of guessing (ln K for K balanced classes).",
    )


def _blank(view: View) -> Sign | None:
    """A sign if every input was 0 so far, although not every label is the same."""
    fields = ("count", "min", "max", "std")
    count, low, high, std = (view.latest("input_features", field) for field in fields)
    inputs, targets = (view.where("input_features", role) for role in ("input", "target"))
    enough = view.limits["samples"] <= np.min(count[inputs], initial=np.inf) < np.inf
    if not enough or len(view.past("input_features", 2)) < 2:
        return None
    if not ((low[inputs] == 0) & (high[inputs] == 0)).all() or not _first_kernel_idles(view):
        return None
    if not ((std[targets] > 0).any() or _several_classes(view)):
        return None
    step, samples = view.record.step, float(count[inputs].min())
    support = "gradient_norm: the first kernel gets none, as of inputs that are 0"
    return Sign(
        severity="error",
        title="Every input is 0",
        onset=0,
        evidence=(
            Evidence("largest input", 0.0, 0.0, "", "input_features", step),
            Evidence("samples seen", samples, None, "", "input_features", step),
        ),
        causes=(
            Cause("a cast to whole numbers, or scaling twice, leaves nothing", "likely", support),
        ),
        fixes=(
            Fix(
                "Look at what `fit` is given, and scale as floating point numbers.",
                'print(x_train.min(), x_train.max())\nx_train = x_train.astype("float32") / 255',
            ),
        ),
        harmless="The model is to learn how frequent the labels are, and nothing else.",
        check="input_features shows a standard deviation above 0.",
    )


def _tiny(view: View, scale: Scale) -> Sign | None:
    """A sign if all inputs are so small that the weights of the first layer get nowhere."""
    limits, drop, step = view.limits, loss_drop(view), view.record.step
    size = max(scale.rms, scale.widest_rms)
    if not scale.largest < 5 * limits["tiny"]:
        return None  # sparse: what counts is not small
    if not (0 < size < limits["tiny"] and step >= limits["still"] and drop < limits["far"]):
        return None
    if view.where("input_features", "input").sum() < 2:
        return None
    fall = Evidence("fall of the loss / first loss", drop, limits["far"], "", "loss", step)
    return Sign(
        severity="warning",
        title=f"Inputs are tiny: no value is over {number(scale.largest)}",
        onset=0,
        evidence=(
            _evidence(view, "largest typical size of a feature", size, "tiny", scale.row),
            fall,
        ),
        causes=(
            Cause("the inputs are scaled twice", "likely", f"loss: {fall.label} {number(drop)}"),
            Cause("features in a unit that makes small numbers of them"),
        ),
        fixes=(
            Fix(
                "Standardise the inputs inside the model.",
                "normalize = keras.layers.Normalization()\nnormalize.adapt(x_train)\n"
                "model = keras.Sequential([normalize, *model.layers])",
            ),
            Fix(
                "Or scale once: in the data or in the model.",
                'x_train = raw.astype("float32") / 255',
            ),
        ),
        harmless="A layer inside the model brings the inputs to a common scale.",
        check="The standard deviations of the features are near 1, and the loss falls.",
    )


def _several_classes(view: View) -> bool:
    return view.has("label_counts") and int((view.latest("label_counts", "count") > 0).sum()) > 1


def _first_kernel_idles(view: View) -> bool:
    """Whether the first kernel has had no gradient at all, which all of its inputs being 0 does."""
    if not view.has("gradient_norm"):
        return False
    kernels = np.flatnonzero(view.where("gradient_norm", "kernel"))
    early = view.early("gradient_norm", field="max")
    return bool(len(kernels) and len(early) and (early[:, kernels[0]] == 0).all())


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


def _damage(view: View) -> tuple[Evidence, ...]:
    """What shows that the scale hurts; empty if nothing does."""
    return tuple(found for found in (_high_loss(view), _dead_layer(view)) if found)


def _high_loss(view: View) -> Evidence | None:
    first, expected = median_loss(view, first=True), _expected_loss(view)
    limit = view.limits["loss_ratio"]
    if not first > limit * expected > 0:
        return None
    return Evidence("first loss / expected loss", first / expected, limit, "", "loss")


def _dead_layer(view: View) -> Evidence | None:
    if not view.has("dead_fraction") or not view.where("dead_fraction", "hidden").any():
        return None
    dead = np.where(view.where("dead_fraction", "hidden"), view.latest("dead_fraction"), 0)
    worst, limit = int(np.nan_to_num(dead).argmax()), view.limits["dead"]
    if not dead[worst] > limit:
        return None
    row, label = view.rows("dead_fraction")[worst].name, "share of units that are dead"
    return Evidence(label, float(dead[worst]), limit, "", "dead_fraction", view.record.step, row)


def _expected_loss(view: View) -> float:
    """Entropy of the labels for a cross-entropy, else the loss after the first 20 steps."""
    if "crossentropy" in str(view.facts.get("loss", "")) and view.has("label_counts"):
        counts = view.latest("label_counts", "count")
        share = counts[counts > 0] / counts[counts > 0].sum()
        return float(-(share * np.log(share)).sum())
    return median_loss(view) if view.record.step >= 20 else math.nan


def _cause(scale: Scale, uneven: bool, damage: tuple[Evidence, ...]) -> Cause:
    text = "nothing scales the inputs"
    if uneven:
        text = f"{quoted(scale.row)} is in other units than the rest, and {text}"
    if not damage:
        return Cause(text)
    return Cause(text, "likely", f"{damage[0].signal}: {damage[0].label} {number(damage[0].value)}")


def _fixes(scale: Scale) -> tuple[Fix, ...]:
    normalize = Fix(
        "Standardise the inputs inside the model.",
        "normalize = keras.layers.Normalization()\nnormalize.adapt(x_train)\n"
        "model = keras.Sequential([normalize, *model.layers])",
    )
    if scale.smallest >= 0 and 200 < scale.largest <= 255 and scale.ratio < 100:
        return Fix("Bring image bytes to 0..1.", "keras.layers.Rescaling(1 / 255)"), normalize
    return normalize, Fix(
        "Or scale the arrays.", "x_train = (x_train - x_train.mean(0)) / x_train.std(0)"
    )


def _features(mean: Any, std: Any, low: Any, high: Any) -> Measures:
    shape = {"mean": mean, "std": std, "min": low, "max": high, "nonfinite": 0}
    return {"input_features": lambda s: {"count": 32 * (s + 1), **shape}}


_TARGET: Rows = {"feature": (Row("x[0]", "", "input"), Row("y[0]", "", "target"))}


def _regression(activation: str = "linear") -> dict[str, Any]:
    head = {"activation": activation, "loss": "mean_squared_error", "units": 1}
    return {"outputs": [head], "loss": "mse", "optimizer": "Adam"}


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
        case(
            "standardised features with long tails",
            rows={"feature": features(3)},
            feature=_features(0, [1, 1.1, 0.9], [-4, -3, -90], [4, 3, 120]),
        ),
        case(
            "tiny features are odd, not harmful",
            rows={"feature": features(2)},
            feature=_features(0, [1, 1e-4], [-4, -4e-4], [4, 4e-4]),
        ),
        case(
            "sparse indicators beside standardised features",
            rows={"feature": features(5)},
            feature=_features(0, [1, 0.05, 0.06, 0.03, 0.009], [-3, 0, 0, 0, 0], [3, 1, 1, 1, 1]),
        ),
        case(
            "one word out of four thousand",
            rows={"feature": features(4)},
            run={"loss": lambda s: 2.3},
            feature=_features([0.00025] * 4, 0.0158, 0, 1),
            steps=200,
        ),
        case(
            "tiny inputs that are learnt from",
            rows={"feature": features(4)},
            run={"loss": lambda s: 2.3 * 0.99**s},
            feature=_features([0.001] * 4, 0.002, 0, 0.004),
            steps=300,
        ),
        case(
            "a constant feature",
            rows={"feature": features(2)},
            feature=_features([0, 5], [1, 0], [-3, 5], [3, 5]),
        ),
        case(
            "inputs that carry nothing, as there is nothing to tell apart",
            rows={"feature": features(2), "variable": (kernel("dense/kernel"),)},
            variable={"gradient_norm": lambda s: 0},
            classes={"label_counts": lambda s: {"count": [32, 0]}},
            feature=_features(0, 0, 0, 0),
        ),
        case(
            "only the recorded features are 0",
            rows={"feature": features(2), "variable": (kernel("dense/kernel"),)},
            variable={"gradient_norm": lambda s: 0.3},
            classes={"label_counts": lambda s: {"count": [16, 16]}},
            feature=_features(0, 0, 0, 0),
        ),
        case(
            "prices that are learnt",
            rows=_TARGET,
            run={"loss": lambda s: 9e6 * 0.99**s + 1e4},
            feature=_features([0, 3000], [1, 500], [-3, 1000], [3, 5000]),
            facts=_regression(),
            steps=300,
        ),
        case(
            "prices that are learnt further while half of the run is over",
            rows=_TARGET,
            run={"loss": lambda s: 4e6 * 0.98**s + 1e4},
            feature=_features([0, 3000], [1, 500], [-3, 1000], [3, 5000]),
            facts={**_regression(), "epochs": 10, "steps": 20},
            steps=200,
        ),
        case(
            "targets in the hundreds that a long run reaches",
            rows=_TARGET,
            run={"loss": lambda s: max(28400 - 30 * s, 2600)},
            feature=_features([0, 156], [1, 77], [-3, 25], [3, 346]),
            facts={**_regression(), "epochs": 60, "steps": 22},
            steps=300,
        ),
        case(
            "targets in the hundreds, whose batches differ by more than the first steps gain",
            rows=_TARGET,
            run={"loss": lambda s: max(300 - 0.003 * s * s, 16) + 10 * math.sin(2.4 * s + 4)},
            feature=_features([0, 300], [1, 60], [-3, 120], [3, 480]),
            facts={**_regression(), "epochs": 30, "steps": 84},
            steps=400,
        ),
        case(
            "a last layer whose bias begins at the mean of the targets",
            rows=_TARGET,
            run={"loss": lambda s: 56 - 0.03 * s},
            feature=_features([0, 172], [1, 72], [-3, 25], [3, 480]),
            facts={
                **_regression(),
                "outputs": [{"activation": "linear", "loss": "mean_absolute_error", "units": 1}],
                "loss": "mae",
                "epochs": 10,
                "steps": 57,
            },
            steps=100,
        ),
        case(
            "moderate targets that cannot be learnt",
            rows=_TARGET,
            run={"loss": lambda s: 600.0},
            feature=_features([0, 20], [1, 9], [-3, 1], [3, 60]),
            facts=_regression(),
            steps=300,
        ),
        case(
            "large counts under a Poisson loss",
            rows=_TARGET,
            run={"loss": lambda s: 1200.0},
            feature=_features([0, 300], [1, 90], [-3, 1], [3, 600]),
            facts={
                "outputs": [{"activation": "exponential", "loss": "poisson", "units": 1}],
                "loss": "poisson",
            },
            steps=300,
        ),
        case(
            "the first layer normalises",
            rows={"feature": features(2)},
            feature=_features([0.5, 500], [0.3, 290], 0, [1, 1000]),
            facts={"input_normalised": True},
        ),
    ),
    sick=(
        case(
            "every input is 0",
            rows={"feature": features(2), "variable": (kernel("dense/kernel"),)},
            variable={"gradient_norm": lambda s: 0},
            classes={"label_counts": lambda s: {"count": [16, 16]}},
            feature=_features(0, [0, 0], 0, 0),
            severity="error",
            onset=0,
        ),
        case(
            "a feature a thousand times wider",
            rows={"feature": features(2)},
            run={"loss": lambda s: 109 if s < 20 else 0.7},
            classes={"label_counts": lambda s: {"count": [50, 50]}},
            feature=_features([0.5, 500], [0.29, 290], 0, [1, 1000]),
            facts={"loss": "binary_crossentropy"},
            severity="error",
            layers=("x[1]",),
            onset=0,
        ),
        case(
            "it has killed units",
            rows={"feature": features(2), "activation": (hidden("dense", 16),)},
            activation={"dead_fraction": lambda s: 0.6},
            feature=_features([0.5, 500], [0.29, 290], 0, [1, 1000]),
            severity="error",
            layers=("x[1]",),
            onset=0,
        ),
        case(
            "image bytes that are divided by 255 twice",
            rows={"feature": features(4)},
            run={"loss": lambda s: 2.3},
            feature=_features([0.001] * 4, 0.002, 0, 0.004),
            steps=200,
            severity="warning",
            onset=0,
        ),
        case(
            "image bytes that train all the same",
            rows={"feature": features(4)},
            run={"loss": lambda s: 2.3},
            feature=_features([120] * 4, 70, 0, 255),
            severity="warning",
            onset=0,
        ),
        case(
            "targets in the thousands",
            rows=_TARGET,
            run={"loss": lambda s: 9.2e6 - 4e3 * s},
            feature=_features([0, 3000], [1, 500], [-3, 1000], [3, 5000]),
            facts={**_regression(), "input_normalised": True},
            steps=100,
            severity="warning",
            layers=("y[0]",),
            onset=0,
        ),
        case(
            "targets that the run is too short to reach",
            rows=_TARGET,
            run={"loss": lambda s: 28400 - 30 * s},
            feature=_features([0, 156], [1, 77], [-3, 25], [3, 346]),
            facts={**_regression(), "epochs": 20, "steps": 22},
            steps=80,
            severity="warning",
            layers=("y[0]",),
            onset=0,
        ),
        case(
            "targets of which only the mean is learnt",
            rows=_TARGET,
            run={"loss": lambda s: 9e6 * 0.95**s + 2.1e5},
            feature=_features([0, 3000], [1, 500], [-3, 1000], [3, 5000]),
            facts={**_regression(), "epochs": 20, "steps": 20},
            steps=400,
            severity="warning",
            layers=("y[0]",),
            onset=0,
        ),
        case(
            "targets whose gradients throw the weights away",
            rows=_TARGET,
            run={"loss": lambda s: 9.2e6 * 30**s},
            feature=_features([0, 3000], [1, 500], [-3, 1000], [3, 5000]),
            facts=_regression(),
            steps=6,
            severity="warning",
            layers=("y[0]",),
            onset=0,
        ),
    ),
)
