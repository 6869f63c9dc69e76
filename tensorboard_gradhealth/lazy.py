"""TensorFlow, imported when it is first used.

The signals say what is measured, for loops without TensorFlow too: importing them must not need
it, nor wait for it.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


class TensorFlow:
    """Stands for the module `tensorflow`."""

    def __getattr__(self, name: str) -> Any:
        try:
            value = getattr(importlib.import_module("tensorflow"), name)
        except ModuleNotFoundError as error:
            if error.name == "tensorflow":
                raise missing("summary", error.name) from error
            raise
        setattr(self, name, value)  # so that the next use of it is a plain attribute
        return value


def missing(what: str, module: str) -> ModuleNotFoundError:
    """Returns the error that says how to install what `what` needs."""
    return ModuleNotFoundError(
        f"tensorboard_gradhealth.{what} needs TensorFlow: "
        "pip install tensorboard-gradhealth[tensorflow]  (or [cpu])",
        name=module,
    )


tf: Any = TensorFlow()


def unconverted(function: F) -> F:
    """Keeps AutoGraph out of `function`: it takes seconds and finds nothing to convert there."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return tf.autograph.experimental.do_not_convert(function)(*args, **kwargs)

    return cast(F, call)
