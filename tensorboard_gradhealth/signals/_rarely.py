"""A branch of the training step that is hardly ever taken."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator

from tensorboard_gradhealth.lazy import tf
from tensorboard_gradhealth.signals._contexts import Tensor

_MODULE = "tensorflow.python.ops.control_flow_util_v2"
_SWITCH = "_DISABLE_LOWER_USING_SWITCH_MERGE"


def rarely(unneeded: Tensor, usual: Callable[[], Tensor], look: Callable[[], Tensor]) -> Tensor:
    """Returns `usual()` where bool `[]` `unneeded`, else `look()`, which may consist of many ops.

    TensorFlow takes a condition apart, and each step then passes by every op of the branch that it
    does not take. This one stays whole, which costs the same however much there is to look at
    (docs/adr/0012-a-condition-that-stays-whole.md).
    """
    with _whole():
        return tf.cond(unneeded, usual, look)


@contextlib.contextmanager
def _whole() -> Iterator[None]:
    # There is no public way. Where this one is gone, conditions are taken apart, and right all the
    # same. They must be where variables may lie on several devices.
    module = _module()
    if not hasattr(module, _SWITCH) or len(tf.config.list_logical_devices()) > 1:
        yield
        return
    before = getattr(module, _SWITCH)
    setattr(module, _SWITCH, True)
    try:
        yield
    finally:
        setattr(module, _SWITCH, before)


def _module() -> object:
    try:
        return importlib.import_module(_MODULE)
    except ImportError:
        return None
