"""Sums by part of the model: component, sub-component, layer, and in all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Generic, Protocol, TypeVar

from prism.analyze.weights.components import Cut


class Summed(Protocol):
    def __add__(self, other: Any) -> Any: ...


T = TypeVar("T", bound=Summed)


@dataclass(frozen=True)
class Group(Generic[T]):
    """Some of the matrices and vectors."""

    members: Sequence[tuple[Cut, T]]

    @property
    def sum(self) -> T:
        return reduce(add, (value for _, value in self.members))

    @property
    def values(self) -> list[T]:
        return [value for _, value in self.members]

    @property
    def matrices(self) -> list[T]:
        return [value for cut, value in self.members if cut.matrix]


@dataclass(frozen=True)
class Groups(Generic[T]):
    """All matrices and vectors, and by part. `total` is of the matrices alone; it may be empty."""

    total: Group[T]
    total_all: Group[T]
    by_component: dict[str, Group[T]]
    by_sub_component: dict[str, Group[T]]
    by_layer: dict[str, Group[T]]

    def as_json(self, show: Callable[[Group[T]], dict[str, Any]]) -> dict[str, Any]:
        return {
            "total": show(self.total if self.total.members else self.total_all),
            "total_all": show(self.total_all),
            "by_component": {name: show(group) for name, group in self.by_component.items()},
            "by_sub_component": {name: show(group) for name, group in self.by_sub_component.items()},
            "by_layer": {name: show(group) for name, group in self.by_layer.items()},
        }


def grouped(members: Iterable[tuple[Cut, T]]) -> Groups[T]:
    """Groups in alphabetical order, layers in theirs."""
    everything = list(members)
    layers = sorted({cut.part.layer for cut, _ in everything if cut.part.layer is not None})
    return Groups(
        total=Group([(cut, value) for cut, value in everything if cut.matrix]),
        total_all=Group(everything),
        by_component=_by(everything, lambda cut: cut.part.component),
        by_sub_component=_by(everything, lambda cut: cut.part.sub_component),
        by_layer={str(layer): Group([one for one in everything if one[0].part.layer == layer]) for layer in layers},
    )


def _by(everything: Sequence[tuple[Cut, T]], key: Callable[[Cut], str]) -> dict[str, Group[T]]:
    names = sorted({key(cut) for cut, _ in everything})
    return {name: Group([one for one in everything if key(one[0]) == name]) for name in names}
