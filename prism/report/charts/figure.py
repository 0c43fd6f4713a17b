"""A chart with what belongs around it, ready for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from prism.report.charts.data import NO_DATA, Data
from prism.report.reading import Artifact


@dataclass(frozen=True)
class Key:
    """An entry of a legend. `series` ties it to the marks that it names."""

    name: str
    colour: str
    shape: Literal["line", "dot", "ring"] = "line"


@dataclass(frozen=True)
class Figure:
    """`note` says in a sentence what to see; an empty `svg` means there is nothing to show yet.

    data: the values that the chart shows.
    sources: the files that they were read from.
    """

    title: str
    svg: Markup
    legend: tuple[Key, ...] = ()
    note: str = ""
    data: Data = NO_DATA
    sources: tuple[Artifact, ...] = ()
