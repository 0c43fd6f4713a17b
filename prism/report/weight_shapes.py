"""What the files of weight analysis hold, as far as the report shows it. Keys that aren't named here are ignored."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """How far weights moved. `unchanged_percent`: threshold in percent -> percent of elements."""

    relative_l2: float | None
    unchanged_percent: Mapping[float, float] = Field(default_factory=dict)
    elements: int | None = None


@dataclass(frozen=True)
class TensorChange:
    name: str
    component: str
    sub_component: str
    layer: int | None
    elements: int
    relative_l2: float | None
    unchanged_percent: Mapping[float, float] = Field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """A comparison by part of the model. `by_layer`: layers from 0."""

    total: Change
    by_component: Mapping[str, Change] = Field(default_factory=dict)
    by_sub_component: Mapping[str, Change] = Field(default_factory=dict)
    by_layer: Mapping[int, Change] = Field(default_factory=dict)


@dataclass(frozen=True)
class Compared(Changes):
    """Of a checkpoint against another. `in_bf16`: both rounded to bf16, where they weren't bf16 anyhow."""

    in_bf16: Changes | None = None
    dtype: str = ""


@dataclass(frozen=True, kw_only=True)
class WeightComparison(Compared):
    """analysis/weights/<before>__<after>.json."""

    before: str
    after: str
    tensors: tuple[TensorChange, ...] = ()


@dataclass(frozen=True)
class Overlap:
    """Elements that two changes both change: over those that one of them does, and over what chance would give."""

    jaccard: float | None
    lift: float | None


@dataclass(frozen=True)
class Direction:
    """`overlap`: by what counts as a change, in percent of an element; at 0 anything does."""

    cosine: float | None
    overlap: Mapping[float, Overlap] = Field(default_factory=dict)


@dataclass(frozen=True)
class Relation:
    """Two changes held against each other, each by its stages before and after."""

    first: tuple[str, str]
    second: tuple[str, str]
    total: Direction
    by_component: Mapping[str, Direction] = Field(default_factory=dict)


@dataclass(frozen=True)
class Alike:
    """Correlations over `count` parts; None where a figure doesn't vary."""

    pearson: float | None
    spearman: float | None
    count: int


@dataclass(frozen=True)
class Footprint:
    """Whether the same matrices move far, and have many changed elements."""

    l2_by_matrix: Alike
    changed_by_matrix: Alike


@dataclass(frozen=True)
class RelationFile:
    """analysis/relations/*.json, as `prism analyze directions` and `footprint` write them too."""

    relations: tuple[Relation, ...] = ()
    footprint: Footprint | None = None


@dataclass(frozen=True)
class SeriesPoint:
    """A checkpoint. `figures`: against the start."""

    name: str
    step: int | None
    figures: Compared


@dataclass(frozen=True)
class WeightSeries:
    """analysis/trajectory/*.json: checkpoints of a stage against its start."""

    start: str
    points: tuple[SeriesPoint, ...] = ()
