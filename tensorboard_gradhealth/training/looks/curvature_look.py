"""Measures the curvature of the loss around a step, on the batch of the step or on a given one."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.curvature import (
    CurvatureProbe,
    Edge,
    NotMeasurable,
    keras_edge,
    keras_loss,
)
from tensorboard_gradhealth.signals._base import CurvatureContext
from tensorboard_gradhealth.training.arguments import Probing
from tensorboard_gradhealth.training.host.session import Session
from tensorboard_gradhealth.training.model import distribution, keras_model

Tensor = Any

MAX_PARAMETERS = 20_000_000
"""The search for eigenvalues keeps some 20 vectors of this size in memory: 1.6 GB."""


class CurvatureLook:
    """Curvature at the weights before a step, along the change that the step made.

    Args:
      model: Built and compiled.
      session: Takes what is found.
      probing: Which batch to look at, and how much of it at a time.

    Raises:
      NotMeasurable: The model's loss is not known, it is too large, or batches are spread over
        replicas and none is given.
    """

    def __init__(self, model: keras.Model, session: Session, probing: Probing) -> None:
        if probing.data is None:
            distribution.check_whole_batches(model.distribute_strategy)
        described = keras_model.described(model)
        size = sum(row.size for row, _ in described)
        if size > MAX_PARAMETERS:
            raise NotMeasurable(
                f"the model has {size:,} parameters, and the probe keeps 20 vectors of that size; "
                f"it is made up to {MAX_PARAMETERS:,}"
            )
        self._model = model
        self._session = session
        self._names = [row.name for row, _ in described]
        self._data = probing.data
        self._probe = CurvatureProbe(keras_loss(model), batch_size=probing.batch_size)
        self._batch: Any = None
        self._weights: list[Tensor] = []

    def before(self, batch: Any) -> None:
        """Keeps the batch of the step that is about to be taken, and the weights."""
        data = batch if self._data is None else self._data
        self._batch = keras.utils.unpack_x_y_sample_weight(data)
        self._weights = [tf.identity(each) for each in self._model.trainable_variables]

    def after(self) -> None:
        """Looks at the curvature that the step met."""
        batch, weights = self._batch, self._weights
        self._batch, self._weights = None, []
        pairs = zip(self._model.trainable_variables, weights, strict=True)
        update = [tf.convert_to_tensor(each) - before for each, before in pairs]
        edge = keras_edge(self._model.optimizer, self._model.trainable_variables)
        found = self._probe.measure(
            weights, batch, update=update, preconditioner=edge.preconditioner
        )
        self._say(edge, edge.doubt(found))
        context = CurvatureContext(found, self._names, edge.margin(found))
        self._session.probe("curvature", context)

    def _say(self, edge: Edge, doubt: str) -> None:
        self._session.not_measured.pop("stability_margin", None)
        if doubt:
            self._session.not_measured["stability_margin"] = doubt
        if edge.limit is not None:
            self._session.facts["stability_limit"] = edge.limit.name
