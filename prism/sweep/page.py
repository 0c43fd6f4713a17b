"""sweep.html: table and plots in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import write_text
from prism.recipe.schema.sweep import PaperConfig
from prism.report.charts.dots import DotSeries, Mark, Row, dot_chart
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.environment import render_page
from prism.sweep.results import MemberFigures, SweepResults
from prism.sweep.write import paper_table, table


@dataclass(frozen=True)
class SweepPage:
    """What the template reads."""

    results: SweepResults
    table: list[list[str]]
    spread: bool
    missing: list[str]
    figures: tuple[Figure, ...]
    paper: PaperConfig | None
    paper_table: list[list[str]]


def write_page(results: SweepResults) -> Path:
    """Writes sweep.html into the sweep's folder; returns its path."""
    path = results.directory / "sweep.html"
    write_text(path, render_page("sweep.html.j2", page(results)))
    return path


def page(results: SweepResults) -> SweepPage:
    """Results as the template shows them; figures of one unit share a plot."""
    units = dict.fromkeys(results.units.values())
    plots = [_plot(results, unit, [name for name in results.units if results.units[name] == unit]) for unit in units]
    paper = results.paper
    return SweepPage(
        results=results,
        table=table(results),
        spread=_repeated(results.members),
        missing=results.reasons(),
        figures=tuple(plot for plot in plots if plot is not None),
        paper=paper,
        paper_table=paper_table(paper.lines) if paper is not None and paper.lines else [],
    )


def _plot(results: SweepResults, unit: str, names: Sequence[str]) -> Figure | None:
    heading = names[0] if len(names) == 1 else f"Figures in {unit}" if unit else "Figures"
    note = "Dots are means over seeds; the range runs from the least to the most." if _repeated(results.members) else ""
    if results.numeric and results.x_label:
        series = [_curve(results, name, colour) for colour, name in enumerate(names)]
        return line_chart(heading, series, Axis(results.x_label, log=results.x_log), Axis(unit), note=note)
    rows = [Row(member.name, _marks(member, names)) for member in results.members]
    drawn = [DotSeries(name, colour) for colour, name in enumerate(names)]
    return dot_chart(heading, drawn, rows, Axis(unit), note=note, unit=f" {unit}" if unit else "")


def _curve(results: SweepResults, name: str, colour: int) -> Series:
    placed = sorted(
        ((float(member.x), figure) for member in results.members
         if isinstance(member.x, int | float) and (figure := member.figures.get(name)) is not None),
        key=lambda point: point[0],
    )  # fmt: skip
    band = [(x, figure.least, figure.most) for x, figure in placed] if _repeated(results.members) else []
    return Series(name, [(x, figure.mean) for x, figure in placed], colour, markers=True, band=band)


def _marks(member: MemberFigures, names: Sequence[str]) -> tuple[Mark, ...]:
    marks = []
    for series, name in enumerate(names):
        figure = member.figures.get(name)
        if figure is not None:
            ends = (figure.least, figure.most) if figure.runs > 1 else (None, None)
            marks.append(Mark(series, figure.mean, *ends))
    return tuple(marks)


def _repeated(members: Sequence[MemberFigures]) -> bool:
    return any(figure.runs > 1 for member in members for figure in member.figures.values())
