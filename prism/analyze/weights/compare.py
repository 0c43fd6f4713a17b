"""Comparisons of checkpoints: what is read, asked and written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.files import fingerprint, write_json
from prism import __version__
from prism.analyze.weights.answers import Answer, Asked, Described, Pair
from prism.analyze.weights.change import Change
from prism.analyze.weights.components import Cut
from prism.analyze.weights.groups import Group, Groups, grouped
from prism.analyze.weights.journal import Journal
from prism.analyze.weights.relation import Relation
from prism.analyze.weights.sources import Source
from prism.analyze.weights.tensor import bytes_of
from prism.analyze.weights.together import together
from prism.analyze.weights.walk import walk

Progress = Callable[[int], None]
HEAD = {"schema_version": 1, "release": __version__}


@dataclass(frozen=True)
class SourceSaid:
    """What is remembered of a checkpoint.

    Args:
        types: elements by type.
        content: a hash of the compared tensors, whatever files they lie in (`prism.formats.content_hash`).
    """

    name: str
    path: str
    format: str
    precision: str
    types: Mapping[str, int]
    content: str


@dataclass(frozen=True)
class Comparison:
    """The change from one checkpoint to another.

    Args:
        dtype: in which it was taken; `mixed` where tensors differ in that.
        in_bf16: the change after rounding both to bf16; None where that is what `groups` says.
    """

    before: SourceSaid
    after: SourceSaid
    dtype: str
    thresholds_percent: tuple[float, ...]
    groups: Groups[Change]
    in_bf16: Groups[Change] | None
    notes: tuple[str, ...]

    @property
    def precision(self) -> str:
        """What a reader must know before holding the figures against others."""
        return self.after.precision if self.before.precision == self.after.precision else f"mixed, in {self.dtype}"

    def as_json(self) -> dict[str, Any]:
        """The form of `analysis/weights/<before>__<after>.json`."""

        def show(group: Group[Change]) -> dict[str, Any]:
            return figures(group, self.thresholds_percent)

        return {
            **HEAD,
            "before": self.before.name,
            "after": self.after.name,
            "sources": {"before": asdict(self.before), "after": asdict(self.after)},
            "dtype": self.dtype,
            "precision": self.precision,
            "thresholds_percent": list(self.thresholds_percent),
            "notes": list(self.notes),
            **self.groups.as_json(show),
            "in_bf16": None if self.in_bf16 is None else self.in_bf16.as_json(show),
            "tensors": [
                {**_where(cut), **change.as_json(self.thresholds_percent)}
                for cut, change in self.groups.total_all.members
            ],
        }


@dataclass(frozen=True)
class RelationSaid:
    """Two changes held against each other, each by the names of its old and new checkpoint."""

    first: tuple[str, str]
    second: tuple[str, str]
    thresholds_percent: tuple[float, ...]
    groups: Groups[Relation]

    def as_json(self) -> dict[str, Any]:
        return {
            "first": list(self.first),
            "second": list(self.second),
            "thresholds_percent": list(self.thresholds_percent),
            **self.groups.as_json(lambda group: group.sum.as_json(self.thresholds_percent)),
        }


@dataclass(frozen=True)
class Analysis:
    """All that one reading of some checkpoints gave."""

    sources: tuple[SourceSaid, ...]
    comparisons: tuple[Comparison, ...]
    relations: tuple[RelationSaid, ...]
    notes: tuple[str, ...]
    read_bytes: int

    def as_json(self) -> dict[str, Any]:
        return {
            **HEAD,
            "sources": [asdict(source) for source in self.sources],
            "notes": list(self.notes),
            "comparisons": [comparison.as_json() for comparison in self.comparisons],
            "relations": [relation.as_json() for relation in self.relations],
        }


def bytes_to_read(sources: Sequence[Source]) -> int:
    """Raises BadInput when they can't be compared."""
    return sum(bytes_of(sources, name) for name in together(sources).names)


def analyse(
    sources: Sequence[Source], asked: Asked, output: Path | None = None, progress: Progress = lambda _: None
) -> Analysis:
    """Reads every source once.

    Args:
        output: a file that the caller will write; what is finished is kept beside it until `write_analysis` is called.

    Raises:
        BadInput: the sources don't fit together, a file is damaged, or values aren't finite.
    """
    compared = together(sources)
    journal = Journal(output, asked) if output is not None else None
    try:
        walked = walk(sources, compared.names, asked, journal, progress)
    finally:
        if journal is not None:
            journal.close()
    said = tuple(_said(source, held) for source, held in zip(sources, walked.described, strict=True))
    notes = tuple(compared.notes)
    comparisons = tuple(
        _comparison(index, pair, said, walked.answers, walked.described, asked, notes)
        for index, pair in enumerate(asked.pairs)
    )
    relations = tuple(
        RelationSaid(
            (said[one[0]].name, said[one[1]].name),
            (said[other[0]].name, said[other[1]].name),
            asked.relation_thresholds_percent,
            grouped((answer.cut, answer.relations[index]) for answer in walked.answers),
        )
        for index, (one, other) in enumerate(asked.relations)
    )
    return Analysis(said, comparisons, relations, notes, walked.read_bytes)


def write_analysis(path: Path, content: Mapping[str, Any]) -> None:
    """Writes the file whole, then drops what was kept beside it."""
    write_json(path, content)
    Journal.drop(path)


def figures(group: Group[Change], thresholds_percent: Sequence[float]) -> dict[str, Any]:
    """Pooled figures of a group, and the mean over its matrices."""
    each = [found for change in group.matrices if (found := change.relative_l2) is not None]
    mean = sum(each) / len(each) if each else None
    return {**group.sum.as_json(thresholds_percent), "mean_relative_l2": mean}


def _said(source: Source, held: Mapping[str, Described]) -> SourceSaid:
    content = fingerprint(sorted([name, one.dtype, list(one.shape), one.xxh3] for name, one in held.items()))
    return SourceSaid(source.name, str(source.weights.path), source.kind, source.precision, source.types, content)


def _comparison(
    index: int,
    pair: Pair,
    said: Sequence[SourceSaid],
    answers: Sequence[Answer],
    described: Sequence[Mapping[str, Described]],
    asked: Asked,
    notes: tuple[str, ...],
) -> Comparison:
    old, new = pair
    kinds = {_common_type(described[old][name].dtype, described[new][name].dtype) for name in described[old]}
    narrow = [(answer.cut, answer.in_bf16[index] or answer.changes[index]) for answer in answers]
    rounded = any(answer.in_bf16[index] is not None for answer in answers)
    return Comparison(
        said[old],
        said[new],
        next(iter(kinds)) if len(kinds) == 1 else "mixed",
        asked.thresholds_percent,
        grouped((answer.cut, answer.changes[index]) for answer in answers),
        grouped(narrow) if rounded else None,
        notes,
    )


def _common_type(old: str, new: str) -> str:
    """As `blocks.alike` has it."""
    if old == new:
        return old
    narrow = {"bfloat16", "float16"} & {old, new}
    return narrow.pop() if len(narrow) == 1 else "float32"


def _where(cut: Cut) -> dict[str, Any]:
    part = cut.part
    return {"name": cut.name, "component": part.component, "sub_component": part.sub_component, "layer": part.layer}
