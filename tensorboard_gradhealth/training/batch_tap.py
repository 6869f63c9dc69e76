"""Gets hold of the batch of a training step, without a trace of it in the step itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras


def tap(model: keras.Model, before: Callable[[Any], None], after: Callable[[], None]) -> None:
    """Lets `before` see the batch of the next training step, and `after` know when it was taken.

    Keras hands an iterator to `model.train_function`, which also takes a plain Python one: so the
    batch is taken out, shown, and handed on. Of several steps per execution, it is the first one.

    Args:
      model: Its train function is replaced for one call.
      before: Called with the batch, as the iterator gives it.
      after: Called when the step on it was taken.
    """
    function = model.train_function

    def tapped(iterator: Iterator[Any]) -> Any:
        model.train_function = function
        batch = next(iterator)  # at the end of the data this stops as the function itself would
        before(batch)
        logs = function(iter([batch]))
        after()
        rest = list(itertools.islice(iterator, int(model.steps_per_execution) - 1))
        return function(iter(rest)) if rest else logs

    model.train_function = tapped
