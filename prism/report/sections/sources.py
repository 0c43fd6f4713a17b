"""Which files the values of a figure were read from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from prism.report.charts.figure import Figure
from prism.report.reading import Artifact
from prism.report.results import Results


def metrics(stages: Iterable[str]) -> list[str]:
    """The files that training stages leave while they train."""
    return [f"stages/{stage}/metrics.jsonl" for stage in stages]


def scores(stages: Iterable[str], tasks: Sequence[str]) -> list[str]:
    """The result files of tasks."""
    return [f"stages/{stage}/evaluate/{task}.json" for stage in stages for task in tasks]


def files(results: Results, paths: Iterable[str]) -> tuple[Artifact, ...]:
    """The files that were read and are named, or fit a pattern such as analysis/cka/*.json."""
    wanted = list(paths)
    exact = set(wanted)
    patterns = [path for path in wanted if "*" in path]
    return tuple(
        one
        for one in results.artifacts
        if one.path in exact or any(fnmatchcase(one.path, pattern) for pattern in patterns)
    )


def from_files(results: Results, paths: Iterable[str], figures: Iterable[Figure | None]) -> tuple[Figure, ...]:
    """The figures that there are, each with its files beside those that it has."""
    found = files(results, paths)
    return tuple(replace(one, sources=one.sources or found) for one in figures if one is not None)
