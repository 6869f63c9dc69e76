"""Answers that rules share: what several of them ask, or what changes seldom, is computed once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from tensorboard_gradhealth.rules._view import View

P = ParamSpec("P")
T = TypeVar("T")


def until_new(
    *signals: str, early: bool = False
) -> Callable[[Callable[Concatenate[View, P], T]], Callable[Concatenate[View, P], T]]:
    """Lets a function of a view compute anew only where it would see something new.

    Args:
      *signals: Those whose values the function looks at; beside them only at rows and facts.
      early: Whether it looks only at `View.early` of them.
    """

    def decorate(function: Callable[Concatenate[View, P], T]) -> Callable[Concatenate[View, P], T]:
        @functools.wraps(function)
        def remembering(view: View, /, *args: P.args, **kwargs: P.kwargs) -> T:
            question = function, args, tuple(kwargs.items())
            return view.answer(question, signals, early, lambda: function(view, *args, **kwargs))

        return remembering

    return decorate
