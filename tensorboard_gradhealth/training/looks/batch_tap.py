"""Gets hold of the batch of a training step, without a trace of it in the step itself.

Keras hands an iterator to `model.train_function`. For one call a function of ours stands there: it
takes the batch out, shows it, and hands on an iterator of the same kind that holds it. So Keras
runs the very function that it has traced: the same step in another function, or called by itself,
may round differently.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tensorboard_gradhealth.curvature.reasons import NotMeasurable

_ENDS_EARLY = (3, 7)
"""First version of Keras whose execution of several steps ends where the data do."""


class BatchTap:
    """Shows batches of the training steps of `model`."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def need_single_steps(self) -> None:
        """Makes sure that one step can be taken out of an execution of several.

        Raises:
          NotMeasurable: The functions of this Keras cannot take fewer steps than an execution has:
            they fail, and end the epoch.
        """
        if int(self._model.steps_per_execution) > 1 and _keras_version() < _ENDS_EARLY:
            raise NotMeasurable(
                "before Keras 3.7, the steps of one execution cannot be taken apart"
            )

    def catch(self, before: Callable[[Any], None], after: Callable[[], None]) -> None:
        """Lets `before` see the batch of the next step, and `after` know when it was taken.

        Args:
          before: Called with the batch, as the iterator gives it; of several steps in one
            execution with that of the first; with `None` if it is spread over replicas.
          after: Called when the step on it was taken, before the others.
        """
        function = self._model.train_function

        def tapped(iterator: Iterator[Any]) -> Any:
            self._model.train_function = function
            if isinstance(iterator, tf.distribute.DistributedIterator):
                return _around(function, iterator, before, after)
            batch = next(iterator)  # at the end of the data this stops as the function itself would
            before(batch)
            logs = function(_again([batch], iterator))
            after()
            rest = list(itertools.islice(iterator, int(self._model.steps_per_execution) - 1))
            return function(_again(rest, iterator)) if rest else logs

        self._model.train_function = tapped


def _again(batches: list[Any], iterator: Any) -> Iterator[Any]:
    """Returns an iterator over `batches` of the same type as the one that they are from."""
    if not isinstance(iterator, tf.data.Iterator):
        return iter(batches)
    # Its element_spec has to be the same too, or the training step would be traced anew; that of a
    # dataset made of the batch tells the batch's own length instead of `None`.
    alone = [tf.data.Dataset.from_tensors(batch) for batch in batches]
    variants = [tf.data.experimental.to_variant(dataset) for dataset in alone]
    again = [tf.data.experimental.from_variant(each, iterator.element_spec) for each in variants]
    return iter(functools.reduce(tf.data.Dataset.concatenate, again))


def _keras_version() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", keras.__version__)[:2])


def _around(
    function: Any, iterator: Any, before: Callable[[Any], None], after: Callable[[], None]
) -> Any:
    before(None)
    logs = function(iterator)
    after()
    return logs
