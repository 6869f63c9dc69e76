"""Logs what Gradient Health shows from any training loop.

With TensorFlow, with the conventions of `tf.summary`: `gradients`, `updates`, `activations`,
`inputs`, `training` and `curvature` write through the active default writer, at `step` or the
default step, under `tf.summary.record_if`; without a writer nothing happens. They may be used
eagerly and, but for `curvature`, inside `tf.function`. Inside `jit_compile=True` no summary can be
written: return the tensors from the compiled function and log them outside, or use
`HealthMonitor`.

>>> writer = tf.summary.create_file_writer("logs/run1")               # doctest: +SKIP
>>> with writer.as_default():                                         # doctest: +SKIP
...     gradhealth.summary.gradients(gradients, model.trainable_variables, step=step)
...     gradhealth.summary.training(loss=loss, learning_rate=1e-3, step=step)

Without TensorFlow, for PyTorch, JAX and NumPy: the same names with `_pb` take NumPy arrays and
return a `Summary`, which any writer of TensorBoard's event files can write; `layout_pb` says once
what the rows of the others are.

>>> writer = torch.utils.tensorboard.SummaryWriter("logs/run1")       # doctest: +SKIP
>>> pb = gradhealth.summary.layout_pb(variables=weights)              # doctest: +SKIP
>>> writer.file_writer.add_summary(pb, 0)                             # doctest: +SKIP
>>> pb = gradhealth.summary.gradients_pb(gradients)                   # doctest: +SKIP
>>> writer.file_writer.add_summary(pb, step)                          # doctest: +SKIP
"""

from __future__ import annotations

from tensorboard_gradhealth.summary.arrays import (
    activations_pb,
    gradients_pb,
    inputs_pb,
    layout_pb,
    training_pb,
    updates_pb,
)
from tensorboard_gradhealth.summary.curvature import curvature, curvature_pb
from tensorboard_gradhealth.summary.tensors import (
    activations,
    gradients,
    inputs,
    training,
    updates,
)

__all__ = [
    "activations",
    "activations_pb",
    "curvature",
    "curvature_pb",
    "gradients",
    "gradients_pb",
    "inputs",
    "inputs_pb",
    "layout_pb",
    "training",
    "training_pb",
    "updates",
    "updates_pb",
]
