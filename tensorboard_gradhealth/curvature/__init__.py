"""The shape of a loss where training stands, and how far its steps are from the edge of stability.

    probe = CurvatureProbe(keras_loss(model), jit_compile=model.jit_compile)
    weights = [variable.value for variable in model.trainable_variables]
    found = probe.measure(weights, (x, y, sample_weight), update=update)
    edge = keras_edge(model.optimizer, model.trainable_variables)
    margin = edge.margin(found)                       # 1 is the edge; None: see `edge.reason`

In a loop of one's own, `CurvatureProbe(variables_loss(loss_fn, keras_variables))`, or
`CurvatureProbe(lambda _, *batch: loss_fn(*batch), variables=tf_variables)`.

Nothing is changed by a probe: no weight, seed, moving average, metric or optimizer. What cannot be
measured raises `NotMeasurable`, whose text says why. Nothing here knows of signals, rules or logs.

- `hvp`: exact Hessian-vector products; `operator`: the same, traced once, for NumPy vectors.
- `lanczos`, `trace`: estimators over a black box `v -> Hv`, in NumPy alone.
- `stability`: limits by optimizer; `keras_optimizer`: read from a Keras optimizer, with its
  preconditioner.
- `keras_loss`: the loss of a training step as a pure function of the weights.
- `probe`: all of it together.
"""

from tensorboard_gradhealth.curvature.keras_loss import keras_loss, variables_loss
from tensorboard_gradhealth.curvature.keras_margin import Edge, keras_edge
from tensorboard_gradhealth.curvature.keras_optimizer import keras_limit, keras_preconditioner
from tensorboard_gradhealth.curvature.lanczos import Eigenvalue, Spectrum, spectrum
from tensorboard_gradhealth.curvature.probe import Curvature, CurvatureProbe
from tensorboard_gradhealth.curvature.reasons import (
    NotDifferentiableTwice,
    NotMeasurable,
    NotPure,
)
from tensorboard_gradhealth.curvature.stability import StabilityLimit, stability_limit
from tensorboard_gradhealth.curvature.trace import Trace, estimate_trace

__all__ = [
    "Curvature",
    "CurvatureProbe",
    "Edge",
    "Eigenvalue",
    "NotDifferentiableTwice",
    "NotMeasurable",
    "NotPure",
    "Spectrum",
    "StabilityLimit",
    "Trace",
    "estimate_trace",
    "keras_edge",
    "keras_limit",
    "keras_loss",
    "keras_preconditioner",
    "spectrum",
    "stability_limit",
    "variables_loss",
]
