"""Tries a step out on its own batch: the loss of the batch before the step and after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.curvature.keras_loss import keras_loss
from tensorboard_gradhealth.signals._base import TrialContext
from tensorboard_gradhealth.training.device.recorder import StepRecorder
from tensorboard_gradhealth.training.host.session import Session
from tensorboard_gradhealth.training.model import distribution, keras_model

Tensor = Any

TRIALS = 5
"""As many trials must agree with the steps on the loss before, until it is no longer computed."""
AGREEMENT = 1e-6
"""Share of the loss that two ways to compute it may differ by: rounding in single precision."""


class StepTrial:
    """Compares by how much a step changed the loss with what its gradient promised.

    Both losses are computed with the dropout masks of the step itself. The one before is what the
    step itself computes, too: once that has proved true, a trial takes it from there.

    Raises:
      NotMeasurable: The model's loss is not known, or batches are spread over replicas.
    """

    def __init__(self, model: keras.Model, session: Session, recorder: StepRecorder) -> None:
        distribution.check_whole_batches(model.distribute_strategy)
        self._model = model
        self._session = session
        self._recorder = recorder
        self._seeds = keras_model.seeds(model)
        self._loss_fn = keras_loss(model, self._seeds)
        self._compute = self._loss
        if not model.run_eagerly:
            # XLA draws other random numbers from the same seed than TensorFlow does.
            compiled = bool(self._seeds and model.jit_compile)
            options = {"autograph": False, "reduce_retracing": True, "jit_compile": compiled}
            self._compute = tf.function(self._loss, **options)
        self._batch: Any = None
        self._drawn: list[Tensor] = []
        self._before: float | None = None
        self._agreed = 0

    def before(self, batch: Any) -> None:
        """Looks at the batch of a step that is about to be taken."""
        self._batch = keras.utils.unpack_x_y_sample_weight(batch)
        self._drawn = [tf.constant(seed.numpy()) for seed in self._seeds]
        known = self._agreed >= TRIALS
        self._before = None if known else float(self._compute(self._drawn, *self._batch))

    def after(self) -> None:
        """Looks at it again."""
        after = float(self._compute(self._drawn, *self._batch))
        self._batch = None
        before = self._loss_before()
        predicted = self._recorder.latest("predicted_change")
        if predicted and before is not None:
            self._session.probe("trial", TrialContext(before, after, sum(predicted.values())))

    def _loss_before(self) -> float | None:
        of_step = self._recorder.latest("loss").get("")
        if self._before is None:
            return of_step
        agree = of_step is not None and math.isclose(of_step, self._before, rel_tol=AGREEMENT)
        self._agreed = self._agreed + 1 if agree else 0
        return self._before

    def _loss(self, seeds: Sequence[Tensor], *batch: Any) -> Tensor:
        weights = [tf.convert_to_tensor(each) for each in self._model.trainable_variables]
        return tf.cast(self._loss_fn([*weights, *seeds], *batch), tf.float32)
