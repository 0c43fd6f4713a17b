"""How far weights moved, and how many stayed (paper section 10, Tables 12, 22, 23).

| figure | definition |
|---|---|
| relative L2 | norm of the change over norm of the old weights; groups of tensors are pooled before dividing |
| unchanged | share of elements that changed by less than a percentage of their size; a zero if it stayed zero |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from data_prep.files import read_json
from prism.analyze.components import Part, part_of
from prism.errors import BadInput


@dataclass
class Change:
    """Sums over one or more tensors, from which the figures follow."""

    thresholds_percent: Sequence[float]
    squared_change: float = 0.0
    squared_old: float = 0.0
    elements: int = 0
    unchanged: dict[float, int] = field(default_factory=dict)

    def add(self, other: Change) -> None:
        self.squared_change += other.squared_change
        self.squared_old += other.squared_old
        self.elements += other.elements
        for threshold in self.thresholds_percent:
            self.unchanged[threshold] = self.unchanged.get(threshold, 0) + other.unchanged[threshold]

    def as_json(self) -> dict[str, Any]:
        relative = (self.squared_change / self.squared_old) ** 0.5 if self.squared_old else None
        return {
            "relative_l2": relative,
            "unchanged_percent": {
                f"{threshold:g}": 100 * count / self.elements for threshold, count in self.unchanged.items()
            },
            "elements": self.elements,
        }


def tensor_change(old: Tensor, new: Tensor, thresholds_percent: Sequence[float]) -> Change:
    """Compares two tensors of one shape, in float64."""
    old, new = old.double(), new.double()
    difference = (new - old).abs()
    size = old.abs()
    unchanged = {
        threshold: int(((difference < size * (threshold / 100)) | ((old == 0) & (new == 0))).sum())
        for threshold in thresholds_percent
    }
    return Change(
        thresholds_percent, float(difference.square().sum()), float(old.square().sum()), old.numel(), unchanged
    )


def compare(before: Path, after: Path, thresholds_percent: Sequence[float]) -> dict[str, Any]:
    """Compares two Hugging Face folders tensor by tensor, one pair in memory at a time.

    Returns:
        dtype, `total` (tensors of two dimensions or more), `total_all`, by component, by sub-component, by tensor.

    Raises:
        BadInput: the folders hold different tensors.
    """
    tensors: list[dict[str, Any]] = []
    totals: dict[str, Change] = {name: Change(thresholds_percent) for name in ("total", "total_all")}
    components: dict[str, Change] = {}
    sub_components: dict[str, Change] = {}
    dtype = ""
    for name, old, new in _pairs(before, after):
        change, part = tensor_change(old, new, thresholds_percent), part_of(name)
        dtype = str(new.dtype).removeprefix("torch.")
        totals["total_all"].add(change)
        if old.ndim >= 2:
            totals["total"].add(change)
        for groups, key in ((components, part.component), (sub_components, part.sub_component)):
            groups.setdefault(key, Change(thresholds_percent)).add(change)
        tensors.append({**_where(name, part), **change.as_json()})
    return {
        "dtype": dtype,
        **{name: change.as_json() for name, change in totals.items()},
        "by_component": _as_json(components),
        "by_sub_component": _as_json(sub_components),
        "tensors": tensors,
    }


def _where(name: str, part: Part) -> dict[str, Any]:
    return {"name": name, "component": part.component, "sub_component": part.sub_component, "layer": part.layer}


def _as_json(groups: Mapping[str, Change]) -> dict[str, Any]:
    return {name: change.as_json() for name, change in sorted(groups.items())}


def _pairs(before: Path, after: Path) -> Iterator[tuple[str, Tensor, Tensor]]:
    old, new = _index(before), _index(after)
    if set(old) != set(new):
        only = sorted(set(old) ^ set(new))
        raise BadInput(
            f"{before} and {after} hold different tensors, such as {only[0]}",
            place="analyze weights",
            remedy="compare checkpoints of one model",
        )
    for name in sorted(old):
        first, second = _tensor(old[name], name), _tensor(new[name], name)
        if first.shape != second.shape:
            raise BadInput(
                f"{name} has shape {tuple(first.shape)} before and {tuple(second.shape)} after",
                place=str(after),
                remedy="compare checkpoints of one model",
            )
        yield name, first, second


def _index(folder: Path) -> dict[str, Path]:
    """Which file of a Hugging Face folder holds which tensor."""
    shards = folder / "model.safetensors.index.json"
    if shards.is_file():
        return {name: folder / file for name, file in read_json(shards)["weight_map"].items()}
    single = folder / "model.safetensors"
    if not single.is_file():
        raise BadInput("no safetensors", place=str(folder), remedy="run the stage, or `prism convert` it")
    return dict.fromkeys(_names(single), single)


def _names(file: Path) -> Iterable[str]:
    with safe_open(file, framework="pt") as handle:
        return list(handle.keys())


def _tensor(file: Path, name: str) -> Tensor:
    with safe_open(file, framework="pt") as handle:
        tensor: Tensor = handle.get_tensor(name)
    return tensor
