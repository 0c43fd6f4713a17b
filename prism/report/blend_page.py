"""Planned blends as a page: weights, epochs, a table and the verdict of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.blend.plan import PlannedSource
from data_prep.files import write_text
from prism.report.charts.bars import Bar, Part, bar_chart
from prism.report.charts.figure import Figure
from prism.report.charts.svg import colour
from prism.report.environment import render_page
from prism.report.forecast import BlendForecast
from prism.report.numbers import decimal, significant
from prism.report.sections.palette import colours


@dataclass(frozen=True)
class SourceRow:
    """`ends` is the step in which the first epoch ends, None if it never does; `colour` is a class."""

    source: PlannedSource
    ends: int | None
    over: bool
    colour: str


@dataclass(frozen=True)
class PlannedBlend:
    """A section of the page. `yaml` is the capped blend, None where there is none."""

    id: str
    forecast: BlendForecast
    figures: tuple[Figure, ...]
    rows: tuple[SourceRow, ...]
    refused: bool
    ways: tuple[str, ...]
    yaml: str | None


@dataclass(frozen=True)
class BlendPage:
    name: str
    blends: tuple[PlannedBlend, ...]


def write_blend_page(path: Path, name: str, forecasts: Sequence[BlendForecast]) -> None:
    """Writes the page of the recipe called `name`; it is one file that needs nothing else."""
    write_text(path, render_page("blends.html.j2", blend_page(name, forecasts)))


def blend_page(name: str, forecasts: Sequence[BlendForecast]) -> BlendPage:
    """What the template reads. A domain has one colour on the whole page."""
    tints = colours(source.domain for forecast in forecasts for source in forecast.plan.sources)
    return BlendPage(name, tuple(_blend(index, forecast, tints) for index, forecast in enumerate(forecasts)))


def _blend(index: int, forecast: BlendForecast, tints: dict[str, int]) -> PlannedBlend:
    refused = forecast.refusal
    ways: tuple[str, ...] = ()
    if refused is not None:
        first = "Cap, and spread what is freed; in place of the old blend:" if refused.capped else refused.too_small
        ways = (first, refused.smaller_budget(forecast.tokens_per_step), refused.more_epochs())
    figures = (
        _bars(forecast, tints, "Weight, %", lambda source: source.weight_percent, lambda v: f"{significant(v)} %"),
        _bars(forecast, tints, "Epochs", lambda source: source.epochs, lambda v: decimal(v, 2), _limit(forecast)),
    )
    return PlannedBlend(
        id=f"blend-{index}",
        forecast=forecast,
        figures=tuple(figure for figure in figures if figure is not None),
        rows=tuple(
            SourceRow(
                source, forecast.first_epoch_step(source), forecast.repeats_too_often(source),
                colour(tints[source.domain]),
            )
            for domain in forecast.plan.domains
            for source in domain.sources
        ),
        refused=refused is not None,
        ways=ways,
        yaml=refused.yaml() if refused is not None else None,
    )  # fmt: skip


def _bars(
    forecast: BlendForecast,
    tints: dict[str, int],
    heading: str,
    value: Callable[[PlannedSource], float],
    written: Callable[[float], str],
    note: str = "",
) -> Figure | None:
    series = [(domain.name, tints[domain.name]) for domain in forecast.plan.domains]
    bars = []
    for index, domain in enumerate(forecast.plan.domains):
        for source in domain.sources:
            amount = value(source)
            over = " ✗" if heading == "Epochs" and forecast.repeats_too_often(source) else ""
            bars.append(Bar(source.name, (Part(index, amount, written(amount)),), written(amount) + over))
    return bar_chart(heading, series, bars, note=note)


def _limit(forecast: BlendForecast) -> str:
    if forecast.max_epochs is None:
        return "How often each source is gone through at this budget."
    return (
        f"How often each source is gone through at this budget; ✗ is more than data.max_epochs {forecast.max_epochs:g}."
    )
