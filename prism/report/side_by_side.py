"""Summaries of several runs side by side: the paper's benchmarks, weight change and least CKA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prism.paper import benchmarks
from prism.report.results import Results
from prism.report.sections.palette import pair_name, pairs
from prism.report.tables.scores import score
from prism.report.tables.subject import subject_of
from prism.report.tables.table import Cell


@dataclass(frozen=True)
class BenchmarkRow:
    """`cells` in the order of the columns: every stage of every run's main chain."""

    title: str
    is_average: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class BenchmarkTable:
    """`stages`: of each run, those that were evaluated along its main chain."""

    stages: tuple[tuple[str, ...], ...]
    rows: tuple[BenchmarkRow, ...]


@dataclass(frozen=True)
class Moved:
    """What came between two stages of a run: relative L2, percent of elements changed by less than 1%, least CKA."""

    relative_l2: float | None = None
    unchanged: float | None = None
    least_cka: float | None = None


@dataclass(frozen=True)
class MovedRow:
    """A pair of stages in every run."""

    pair: str
    runs: tuple[Moved, ...]


def benchmark_table(runs: Sequence[Results]) -> BenchmarkTable | None:
    """None where no run has any of the paper's benchmarks."""
    known = benchmarks()
    subjects = [subject_of(results) for results in runs]
    stages = tuple(
        tuple(name for name in results.main_chain() if results.stages[name].tasks)
        if subject.has_paper_benchmarks
        else ()
        for results, subject in zip(runs, subjects, strict=True)
    )
    rows = []
    for name in (*known.averages, *known.benchmarks):
        cells = tuple(
            score(subject, subject.results.stages[stage], name)
            for subject, its in zip(subjects, stages, strict=True)
            for stage in its
        )
        if any(cell.value is not None for cell in cells):
            rows.append(BenchmarkRow(known.title(name), name in known.averages, cells))
    return BenchmarkTable(stages, tuple(rows)) if rows else None


def moved_table(runs: Sequence[Results]) -> tuple[MovedRow, ...]:
    """Pairs that were compared in any run, those along the main chains first. fp32 weights as they are in bf16."""
    subjects = [subject_of(results) for results in runs]
    wanted = dict.fromkeys(pair for results in runs for pair in pairs(results))
    rows = []
    for pair in wanted:
        found = []
        for results, subject in zip(runs, subjects, strict=True):
            comparison, cka = subject.weights(*pair), results.cka.get(pair)
            total = comparison.total if comparison is not None else None
            found.append(
                Moved(
                    total.relative_l2 if total is not None else None,
                    total.unchanged_percent.get(1.0) if total is not None else None,
                    cka.minimum if cka is not None else None,
                )
            )
        rows.append(MovedRow(pair_name(pair), tuple(found)))
    return tuple(rows)
