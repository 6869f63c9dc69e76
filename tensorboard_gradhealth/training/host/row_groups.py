"""Makes one row of many variables or activations, so that a log of thousands can be read.

A group holds what has the same name to it, the same role (a kernel and a bias cannot be compared)
and, of activations, the same function. What is alone in its group keeps its own row. How the values
of a group become one is what each signal declares (`signals._base.Grouped`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorboard_gradhealth.naming import unique
from tensorboard_gradhealth.signals._base import Grouped, Signal
from tensorboard_gradhealth.training.device.recorder import Slot
from tensorboard_gradhealth.types import NOT_MEASURED, Axis, Row

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

GROUPED_AXES: tuple[Axis, ...] = ("variable", "activation")

_POWERS: dict[Grouped, float] = {"norm": 2, "rms": 2, "ratio": 2, "growth": -2}
_SUMS: tuple[Grouped, ...] = ("norm", "sum")
_BY_WEIGHTS: tuple[Grouped, ...] = ("ratio", "growth")


@dataclasses.dataclass(frozen=True)
class Part:
    """The members of all groups that one signal has, in the order of their groups.

    Attributes:
      order: int `[n]`: where each member stands in what was measured.
      starts: int `[groups]`: position in `order` of the first member of each group.
      sizes: float64 `[n]`: elements or units of each member.
    """

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    sizes: Doubles


@dataclasses.dataclass(frozen=True)
class Plan:
    """How the columns of one signal become one for each group.

    Attributes:
      slot: What comes out.
      columns: int `[n]`: where the members stand, in the order of `part`.
      part: Their groups; `None` where each keeps its column.
      how: Groups are combined.
      weights: int `[n]`: where the sizes (root mean squares) of the members stand, if needed.
    """

    slot: Slot
    columns: npt.NDArray[np.intp]
    part: Part | None = None
    how: Grouped = "mean"
    weights: npt.NDArray[np.intp] | None = None

    def values(self, rows: Array) -> Array:
        """Returns float32 `[steps, groups]` of `[steps, columns]`."""
        values: Array = rows[:, self.columns]
        if self.part is None:
            return values
        return _combined(values, self.part, self.how, self._squares(rows, self.part))

    def _squares(self, rows: Array, part: Part) -> Doubles | None:
        """Returns the squared norms of the members, float64 `[steps, n]`."""
        if self.weights is None:
            return None
        sizes = rows[:, self.weights].astype(np.float64)
        return np.where(sizes == NOT_MEASURED, NOT_MEASURED, sizes**2 * part.sizes)


class RowGroups:
    """Knows the group of each variable and activation.

    Args:
      by: How many components of a layer's path name its group, or what is searched for in the
        names of variables and activations: its first parenthesis, or else the whole match, names
        the group. Where it is not found, a row stays by itself.
      signals: What is measured.
    """

    def __init__(self, by: re.Pattern[str] | int, signals: Iterable[Signal]) -> None:
        self._by = by
        self._how = {signal.spec.name: signal.grouped for signal in signals}
        self._axes = {signal.spec.name: signal.spec.axis for signal in signals}
        self._known: dict[Axis, tuple[Row, ...]] = {}
        self._groups: dict[Axis, dict[Row, list[Row]]] = {}
        self._owners: dict[Axis, dict[str, int]] = {}
        self._slots: tuple[Slot, ...] = ()
        self._plans: list[Plan] = []

    def follow(self, known: Mapping[Axis, Mapping[str, Row]]) -> dict[Axis, tuple[Row, ...]]:
        """Takes in the rows of each axis as they are, and returns those of the log."""
        rows = {axis: tuple(described.values()) for axis, described in known.items()}
        for axis in GROUPED_AXES:
            if axis in rows and rows[axis] != self._known.get(axis):
                self._known[axis] = rows[axis]
                groups = self._groups[axis] = _described(self._members(rows[axis]), axis)
                self._owners[axis] = {
                    row.name: i for i, members in enumerate(groups.values()) for row in members
                }
                self._slots = ()
        return {**rows, **{axis: tuple(groups) for axis, groups in self._groups.items()}}

    def facts(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what is known of a run, with what its groups hold.

        Args:
          facts: `kernel_fans` among them, which a group has if all of its members agree.
        """
        fans = dict(facts.get("kernel_fans", {}))
        groups: dict[str, Any] = {}
        for row, members in (pair for known in self._groups.values() for pair in known.items()):
            if len(members) > 1:
                ends = {"first": members[0].name, "last": members[-1].name}
                groups[row.name] = {"members": len(members), **ends}
                shapes = [fans.pop(member.name, None) for member in members]
                if shapes[0] and all(shape == shapes[0] for shape in shapes):
                    fans[row.name] = shapes[0]
        return {**facts, "groups": groups, **({"kernel_fans": fans} if fans else {})}

    def steps(self, rows: Array, slots: Sequence[Slot]) -> tuple[Array, list[Slot]]:
        """Returns what single steps measured, one column for each group.

        Args:
          rows: float32 `[steps, columns]`.
          slots: What the columns hold; `follow` knows their rows.
        """
        if tuple(slots) != self._slots:
            self._slots = tuple(slots)
            self._plans = self._planned(slots)
        parts = [plan.values(rows) for plan in self._plans]
        return np.concatenate(parts, axis=1), [plan.slot for plan in self._plans]

    def noted(self, signal: str, values: Array) -> Array:
        """Returns float32 `[groups, fields]` of `[rows, fields]`, of the rows that are known."""
        axis = self._axes[signal]
        if axis not in GROUPED_AXES or not len(values):
            return values
        part = self._part(axis, [row.name for row in self._known[axis]])
        if self._how[signal] == "pooled":
            return _pooled(values[part.order], part)
        combined: Array = _combined(values.T[:, part.order], part, self._how[signal]).T
        return combined

    def _planned(self, slots: Iterable[Slot]) -> list[Plan]:
        columns: dict[str, dict[str, int]] = {}
        for slot in slots:
            places = zip(slot.rows, range(slot.start, slot.start + len(slot.rows)), strict=True)
            columns.setdefault(slot.signal, {}).update(places)
        sizes = columns.get("weight_rms", {})
        plans: list[Plan] = []
        start = 0
        for signal, named in columns.items():
            plans.append(self._plan(signal, named, sizes, start))
            start += len(plans[-1].slot.rows)
        return plans

    def _plan(
        self, signal: str, named: Mapping[str, int], sizes: Mapping[str, int], start: int
    ) -> Plan:
        names, axis, how = list(named), self._axes[signal], self._how[signal]
        columns = np.fromiter(named.values(), np.intp)
        if axis not in GROUPED_AXES:
            return Plan(Slot(signal, tuple(names), start), columns)
        part = self._part(axis, names)
        members = [names[i] for i in part.order]
        groups, owners = list(self._groups[axis]), self._owners[axis]
        rows = tuple(groups[owners[members[i]]].name for i in part.starts)
        weights = None
        if how in _BY_WEIGHTS and all(name in sizes for name in members):
            weights = np.array([sizes[name] for name in members], np.intp)
        return Plan(Slot(signal, rows, start), columns[part.order], part, how, weights)

    def _part(self, axis: Axis, names: Sequence[str]) -> Part:
        owners = np.array([self._owners[axis][name] for name in names], np.intp)
        sizes = {row.name: float(row.size) for row in self._known[axis]}
        order = np.argsort(owners, kind="stable")
        _, starts = np.unique(owners[order], return_index=True)
        return Part(order, starts, np.array([sizes[names[i]] for i in order]))

    def _members(self, rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
        found: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            name = self._name(row)
            key = (name, row.role, row.function) if name is not None else ("", row.name)
            found.setdefault(key, []).append(row)
        return [(key[0], members) for key, members in found.items()]

    def _name(self, row: Row) -> str | None:
        if isinstance(self._by, int):
            return "/".join(row.layer.split("/")[: self._by]) or None
        match = self._by.search(row.name)
        return None if match is None else match.group(1 if match.re.groups else 0)


def _described(groups: Sequence[tuple[str, list[Row]]], axis: Axis) -> dict[Row, list[Row]]:
    """Returns the members of each group by the row that stands for them."""
    layers = unique(_label(name, members, axis) for name, members in groups)
    described = {}
    for layer, (_, members) in zip(layers, groups, strict=True):
        row = dataclasses.replace(
            members[0],
            name=f"{layer} x{len(members)}",
            layer=layer,
            size=sum(member.size for member in members),
        )
        described[row if len(members) > 1 else members[0]] = members
    return described


def _label(name: str, members: Sequence[Row], axis: Axis) -> str:
    """Names a group by where its members are and what they have in common."""
    first = members[0]
    if len(members) == 1:
        return first.name
    leaves = {member.name.rpartition("/")[2] for member in members}
    common = first.function if axis == "activation" else first.role
    if axis == "variable" and len(leaves) == 1:
        common = leaves.pop()
    return "/".join(part for part in (name, common) if part)


def _combined(values: Array, part: Part, how: Grouped, weights: Doubles | None = None) -> Array:
    """Combines float32 `[n, members]` into `[n, groups]`, over the members that were measured.

    All of them are means to a power, `(sum(w x^p) / sum(w))^(1/p)`, or sums of that kind.

    Args:
      values: In the order of `part`.
      part: The groups.
      how: They are combined.
      weights: float64 `[n, members]`: squared norms of the variables, for `ratio` and `growth`;
        without them, or where they were not measured, sizes stand for them.
    """
    known = values != NOT_MEASURED
    scale = np.ones_like(part.sizes) if how in _SUMS else part.sizes
    if weights is not None:
        scale = np.where(weights == NOT_MEASURED, scale, weights)
    power = _POWERS.get(how, 1)
    with np.errstate(all="ignore"):  # NaN and infinity are carried on
        terms = scale * values.astype(np.float64) ** power
        terms = np.where(known & (scale > 0), terms, np.where(known & np.isnan(scale), np.nan, 0.0))
        total = np.add.reduceat(terms, part.starts, axis=1)
        weight = np.add.reduceat(np.where(known, scale, 0.0), part.starts, axis=1)
        result = (total if how in _SUMS else total / weight) ** (1 / power)
    measured = np.logical_or.reduceat(known, part.starts, axis=1) & (weight != 0)
    combined: Array = np.where(measured, result, NOT_MEASURED).astype(np.float32)
    return combined


def _pooled(values: Array, part: Part) -> Array:
    """Combines mean, std, min, max and share of zeros, float32 `[members, 5]`, of each group."""
    mean, std, low, high, zero = values.astype(np.float64).T
    count = np.add.reduceat(part.sizes, part.starts)

    def averaged(each: Doubles) -> Doubles:
        total: Doubles = np.add.reduceat(part.sizes * each, part.starts)
        return total / count

    with np.errstate(all="ignore"):
        center = averaged(mean)
        spread = averaged(std**2 + mean**2) - center**2
        fields = (
            center,
            np.sqrt(np.maximum(spread, 0.0)),
            np.minimum.reduceat(low, part.starts),
            np.maximum.reduceat(high, part.starts),
            averaged(zero),
        )
    measured = np.logical_and.reduceat(values[:, 0] != NOT_MEASURED, part.starts)
    pooled: Array = np.where(measured, np.stack(fields), NOT_MEASURED).T.astype(np.float32)
    return pooled
