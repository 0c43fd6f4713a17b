"""Builds the tables of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prism.errors import UsageError
from prism.report.results import Results
from prism.report.tables import confidence, divergence, pipeline, sparsity, sub_components
from prism.report.tables.subject import Subject, subject_of
from prism.report.tables.table import Table

TABLES: Mapping[int, Callable[[Subject], Table]] = {
    pipeline.BENCHMARKS: pipeline.benchmark_table,
    pipeline.PIPELINE: pipeline.pipeline_table,
    divergence.NUMBER: divergence.divergence_table,
    confidence.NUMBER: confidence.confidence_table,
    sparsity.NUMBER: sparsity.sparsity_table,
    sub_components.NUMBER: sub_components.sub_component_table,
}
"""By their number in the paper."""


def build_tables(results: Results, only: Sequence[int] = ()) -> tuple[Table, ...]:
    """Args: only: numbers in the paper; none means all of TABLES.

    Raises:
        UsageError: there is no such table.
        BadInput: a file of the run is damaged.
    """
    unknown = [number for number in only if number not in TABLES]
    if unknown:
        known = ", ".join(map(str, TABLES))
        raise UsageError(f"no Table {unknown[0]}", place="--only", remedy=f"use some of {known}")
    subject = subject_of(results)
    return tuple(build(subject) for number, build in TABLES.items() if not only or number in only)
