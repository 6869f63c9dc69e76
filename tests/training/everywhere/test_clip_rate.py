"""When clipping is said to act."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tensorboard_gradhealth.signals._base import OptimizerContext
from tensorboard_gradhealth.signals.clip_rate import SIGNAL

GRADIENTS = [tf.constant([3.0, -4.0]), None, tf.constant([[12.0]])]


@pytest.mark.parametrize(
    ("limit", "acts"),
    [
        ({"clipnorm": 11.9}, True),
        ({"clipnorm": 12.1}, False),
        ({"global_clipnorm": 12.9}, True),
        ({"global_clipnorm": 13.1}, False),
        ({"clipvalue": 11.9}, True),
        ({"clipvalue": 12.1}, False),
    ],
)
def test_clipping_acts_where_a_gradient_exceeds_the_limit(limit: Any, acts: bool) -> None:
    assert SIGNAL.measure(OptimizerContext(GRADIENTS, **limit)) == float(acts)


@pytest.mark.parametrize("limit", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_of_nan_nobody_knows_whether_it_exceeds_a_limit(limit: str) -> None:
    gradients = [tf.constant([1.0, np.nan])]
    assert np.isnan(SIGNAL.measure(OptimizerContext(gradients, **{limit: 5.0})))


def test_the_parts_of_a_sparse_gradient_are_clipped_as_they_are() -> None:
    repeated = tf.IndexedSlices(tf.constant([[3.0], [3.0]]), tf.constant([7, 7]), [9, 1])
    assert SIGNAL.measure(OptimizerContext([repeated], clipnorm=5.0)) == 0.0


def test_an_optimizer_that_does_not_clip_has_no_clip_rate() -> None:
    assert SIGNAL.measure(OptimizerContext(skipped=tf.constant(True))) is None
