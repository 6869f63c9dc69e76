"""From values to heights on a chart, or to places on a scale of colours."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

_DECADES_FOR_LOG = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """A range of values, linear or logarithmic.

    Attributes:
      log: Whether it is logarithmic; `lo` is then above 0.
      lo: Its lower end.
      hi: Its upper end, above `lo`.
    """

    log: bool
    lo: float
    hi: float

    def place(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Returns where finite values lie, from 0 to 1 within the range."""
        numbers = np.asarray(values, np.float64)
        if not self.log:
            return (numbers - self.lo) / (self.hi - self.lo)
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(numbers, 0))
        return np.asarray((logs - math.log(self.lo)) / (math.log(self.hi) - math.log(self.lo)))

    def ticks(self, wanted: int = 3) -> list[float]:
        """Returns up to so many round values within the range: decades on a logarithmic scale."""
        if self.log:
            first = math.ceil(math.log10(self.lo) - 1e-9)
            last = math.floor(math.log10(self.hi) + 1e-9)
            stride = max(1, math.ceil((last - first) / (wanted - 1)))
            return [float(f"1e{decade}") for decade in range(first, last + 1, stride)]
        for exponent in range(math.ceil(math.log10(self.hi - self.lo)), -400, -1):
            for part in (1, 2, 5):
                size = float(f"1e{exponent}") / part
                first, last = math.ceil(self.lo / size), math.floor(self.hi / size)
                if last > first:
                    stride = max(1, (last - first) // (wanted - 1))
                    return [k * size for k in range(first, last + 1, stride)]
        return [self.lo]


def scale_of_curve(values: npt.ArrayLike) -> Scale:
    """Returns a scale with room around the finite values.

    Logarithmic where all are positive and span more than two decades.
    """
    finite = _finite(values)
    if not len(finite):
        return Scale(False, 0.0, 1.0)
    lo, hi = float(finite.min()), float(finite.max())
    if lo > 0 and hi > lo * 10**_DECADES_FOR_LOG:
        margin = (hi / lo) ** 0.06
        return Scale(True, lo / margin, hi * margin)
    margin = 0.08 * (hi - lo) or 0.1 * abs(lo) or 1.0
    return Scale(False, lo - margin, hi + margin)


def scale_of_map(values: npt.ArrayLike, log: bool) -> Scale:
    """Returns the range of all finite values: whole decades, or 0 to 1 for shares."""
    finite = _finite(values)
    if log:
        finite = finite[finite > 0]
        if not len(finite):
            return Scale(True, 1e-3, 1.0)
        first = math.floor(math.log10(finite.min()) + 1e-9)
        last = max(first + 1, math.ceil(math.log10(finite.max()) - 1e-9))
        return Scale(True, float(f"1e{first}"), float(f"1e{last}"))
    lo, hi = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if lo >= 0 and hi <= 1:
        return Scale(False, 0.0, 1.0)
    return Scale(False, lo, hi if hi > lo else lo + 1)


def _finite(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    numbers = np.asarray(values, np.float64).ravel()
    return numbers[np.isfinite(numbers)]
