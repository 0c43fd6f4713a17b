"""A sweep's results as files: sweep.json, sweep.csv and sweep.md beside the runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_prep.files import write_json, write_text
from prism.report.numbers import NONE, significant
from prism.sweep.results import MemberFigures, Spread, SweepResults

SCHEMA_VERSION = 1


def write_files(results: SweepResults) -> tuple[Path, ...]:
    """Writes the three files into the sweep's folder; returns their paths."""
    folder = results.directory
    write_json(folder / "sweep.json", as_json(results))
    write_text(folder / "sweep.csv", as_csv(results))
    write_text(folder / "sweep.md", as_markdown(results))
    return tuple(folder / f"sweep.{ending}" for ending in ("json", "csv", "md"))


def as_json(results: SweepResults) -> dict[str, Any]:
    """Every run's figures, and their mean and spread by member."""
    return {
        "schema_version": SCHEMA_VERSION,
        "sweep": results.name,
        "title": results.title,
        "recipe": results.recipe,
        "units": dict(results.units),
        "x": results.x_label or None,
        "members": [
            {
                "member": member.name,
                "x": member.x,
                "figures": {name: asdict(figure) for name, figure in member.figures.items()},
                "runs": [
                    {
                        "seed": run.seed,
                        "directory": run.directory.name,
                        "figures": {name: reading.value for name, reading in run.readings.items()},
                        "missing": {name: one.reason for name, one in run.readings.items() if one.value is None},
                    }
                    for run in member.runs
                ],
            }
            for member in results.members
        ],
        "paper": results.paper.model_dump() if results.paper is not None else None,
    }


def as_csv(results: SweepResults) -> str:
    """One line a run and figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["member", "x", "seed", "figure", "value", "unit"])
    for member in results.members:
        for run in member.runs:
            for name, reading in run.readings.items():
                writer.writerow([member.name, member.x, run.seed, name, reading.value, results.units[name]])
    return text.getvalue()


def as_markdown(results: SweepResults) -> str:
    """The table, what is missing in it, and the paper's own."""
    lines = [f"# {results.title}", ""]
    if results.about:
        lines += [results.about.strip(), ""]
    lines += [*markdown_table(table(results)), ""]
    if any(figure.deviation is not None for member in results.members for figure in member.figures.values()):
        lines += ["Mean over seeds ± their standard deviation.", ""]
    if missing := results.reasons():
        lines += ["Missing:", "", *(f"- {reason}" for reason in missing), ""]
    if (paper := results.paper) is not None:
        lines += [f"## {paper.table} of the paper{f', {paper.model}' if paper.model else ''}", ""]
        if paper.lines:
            lines += [*markdown_table(paper_table(paper.lines)), ""]
        if paper.finding:
            lines += [paper.finding.strip(), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def table(results: SweepResults) -> list[list[str]]:
    """Head and lines: the member, its place on the axis, its figures."""
    axis = [results.x_label] if results.x_label else []
    head = ["member", *axis, *(_titled(name, unit) for name, unit in results.units.items())]
    return [head, *([*_place(member, bool(axis)), *_cells(member, results)] for member in results.members)]


def paper_table(lines: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """The paper's figures as they are printed there; a dash where it has none."""
    columns = list(dict.fromkeys(column for line in lines.values() for column in line))
    rows = [
        [name, *(f"{line[column]:g}" if column in line else NONE for column in columns)] for name, line in lines.items()
    ]
    return [["", *columns], *rows]


def markdown_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first row is the head; the first column is to the left, the others to the right."""
    yield f"| {' | '.join(rows[0])} |"
    yield f"|---|{'---:|' * (len(rows[0]) - 1)}"
    for row in rows[1:]:
        yield f"| {' | '.join(row)} |"


def cell(figure: Spread | None) -> str:
    """Mean, and the deviation over seeds where there are several."""
    if figure is None:
        return NONE
    mean = significant(figure.mean)
    return mean if figure.deviation is None else f"{mean} ± {significant(figure.deviation, 2)}"


def _cells(member: MemberFigures, results: SweepResults) -> list[str]:
    return [cell(member.figures.get(name)) for name in results.units]


def _place(member: MemberFigures, axis: bool) -> list[str]:
    x = f"{member.x:,}" if isinstance(member.x, int) else str(member.x)
    return [member.name, x] if axis else [member.name]


def _titled(name: str, unit: str) -> str:
    return f"{name}, {unit}" if unit else name
