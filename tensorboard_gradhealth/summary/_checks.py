"""Refuses what the calls cannot log, in words that name what was given and what is accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Given(NamedTuple):
    """What is known of a tensor or array without its values; a length may be unknown."""

    dtype: str
    shape: tuple[int | None, ...]

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith(("float", "bfloat"))

    def fits(self, other: Given) -> bool:
        """Whether the two can have the same shape."""
        pairs = zip(self.shape, other.shape, strict=False)
        same_rank = len(self.shape) == len(other.shape)
        return same_rank and all(a is None or b is None or a == b for a, b in pairs)

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def check_matching(
    call: str, what: str, given: Mapping[str, Given | None], variables: Mapping[str, Given]
) -> None:
    """Checks values that belong to variables, both by name of the variable."""
    if not variables:
        raise ValueError(f"summary.{call} got no variable to log.")
    if list(given) != list(variables):
        raise ValueError(
            f"summary.{call} got {what} of {list(given)} and variables {list(variables)}. "
            "It takes the same names in the same order."
        )
    for name, value in given.items():
        if value is not None and not value.is_float:
            raise ValueError(f"summary.{call} got {what} of {name!r} as {value}; it takes floats.")
        if value is not None and not value.fits(variables[name]):
            raise ValueError(
                f"summary.{call} got {what} of {name!r} as {value}, and the variable is "
                f"{variables[name]}. Are the two in the same order?"
            )


def check_some_gradient(call: str, gradients: Iterable[object | None]) -> None:
    """Checks that there is anything but `None`."""
    if all(gradient is None for gradient in gradients):
        raise ValueError(f"summary.{call} got no gradient but None: the loss uses no variable.")


def check_one_of(call: str, **given: object | None) -> str:
    """Returns the name of the one argument that is not `None`."""
    present = [name for name, value in given.items() if value is not None]
    if len(present) != 1:
        raise ValueError(f"summary.{call} takes exactly one of {', '.join(given)}; got {present}.")
    return present[0]


def check_activations(
    call: str, outputs: Mapping[str, Given], others: Mapping[str, Mapping[str, Given | None]]
) -> None:
    """Checks activations, and by argument name what belongs to them: `None` has no shape."""
    if not outputs:
        raise ValueError(f'summary.{call} got no activation: give {{"name": values, ...}}.')
    for name, value in outputs.items():
        if not value.is_float or len(value.shape) < 2 or value.shape[-1] is None:
            raise ValueError(
                f"summary.{call} got {name!r} as {value}. It takes floats [batch, ..., units]."
            )
    for argument, values in others.items():
        unknown = sorted(set(values) - set(outputs))
        if unknown:
            raise ValueError(
                f"summary.{call} got {argument} for {unknown}, which are not among the outputs "
                f"{sorted(outputs)}."
            )
        for name, other in values.items():
            if other is not None and not (other.is_float and other.fits(outputs[name])):
                raise ValueError(
                    f"summary.{call} got {argument} of {name!r} as {other}, and its outputs are "
                    f"{outputs[name]}. It takes floats of the same shape."
                )


def check_inputs(call: str, batches: Mapping[str, Given]) -> None:
    """Checks input batches by name."""
    if not batches:
        raise ValueError(f'summary.{call} got no input: give values or {{"name": values, ...}}.')
    for name, value in batches.items():
        if not value.is_float or not value.shape:
            raise ValueError(
                f"summary.{call} got {name!r} as {value}. It takes floats [batch, ..., features]; "
                "leave integers out, which have no scale and are never NaN."
            )


def check_numbers(call: str, **numbers: Given | None) -> None:
    """Checks arguments that are one number each, and that there is one at all."""
    if all(value is None for value in numbers.values()):
        raise ValueError(f"summary.{call} got nothing to log: give {'= or '.join(numbers)}=.")
    for name, value in numbers.items():
        if value is not None and value.shape:
            raise ValueError(f"summary.{call} got {name} as {value}; it takes one number.")
