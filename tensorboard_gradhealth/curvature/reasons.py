"""Why a curvature cannot be measured, as exceptions whose text can be shown to people."""

from __future__ import annotations


class NotMeasurable(Exception):
    """The curvature, or one part of it, does not exist or cannot be computed here."""


class NotDifferentiableTwice(NotMeasurable):
    """An operation of the loss has no second derivative in TensorFlow.

    Attributes:
      operation: Its type, as TensorFlow calls it (`FractionalMaxPoolGrad`).
    """

    def __init__(self, operation: str) -> None:
        self.operation = operation
        super().__init__(f"TensorFlow has no second derivative of the operation {operation}")


class NotPure(NotMeasurable):
    """An operation of the loss changes state, or draws other random numbers at each call.

    Attributes:
      operation: Its type, as TensorFlow calls it (`AssignAddVariableOp`).
    """

    def __init__(self, operation: str) -> None:
        self.operation = operation
        super().__init__(
            f"the loss contains {operation}, which changes a variable or a random generator, so "
            "that probing it would change training; use Keras layers or stateless operations"
        )
