"""The figures of a sweep's runs, and their mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from prism.errors import BadInput
from prism.recipe.schema.sweep import PaperConfig
from prism.sweep.figures import Reading, read_figures
from prism.sweep.members import Sweep, SweepRun, at_key
from prism.sweep.paper import with_rows


@dataclass(frozen=True)
class RunFigures:
    """A run's figures, and the seconds that its finished nodes took where they ran."""

    seed: int | None
    directory: Path
    readings: Mapping[str, Reading]


@dataclass(frozen=True)
class Spread:
    """A figure over the runs that have it. `deviation` is the sample standard deviation, None for a single run."""

    mean: float
    deviation: float | None
    least: float
    most: float
    runs: int


@dataclass(frozen=True)
class MemberFigures:
    """A line of the table. `x` is None where the sweep has no axis; a number, or a word."""

    name: str
    x: float | str | None
    runs: tuple[RunFigures, ...]
    figures: Mapping[str, Spread]


@dataclass(frozen=True)
class SweepResults:
    """All that the table, the files and the page show."""

    name: str
    title: str
    about: str
    recipe: str
    directory: Path
    units: Mapping[str, str]
    x_label: str
    x_log: bool
    members: tuple[MemberFigures, ...]
    paper: PaperConfig | None

    def reasons(self) -> list[str]:
        """Why figures are missing, a line a run."""
        lines = []
        for member in self.members:
            for run in member.runs:
                reasons = dict.fromkeys(one.reason for one in run.readings.values() if one.value is None)
                if reasons:
                    lines.append(f"{run.directory.name}: {'; '.join(reasons)}")
        return lines

    @property
    def numeric(self) -> bool:
        """Whether every member has a number for its place on the axis."""
        return all(isinstance(member.x, int | float) for member in self.members)


def collect(sweep: Sweep) -> SweepResults:
    """Reads what the runs have so far; nothing runs.

    Raises:
        RecipeError: a figure can't be read, or the axis is no key.
    """
    config = sweep.file.config
    axis = config.x
    return SweepResults(
        name=sweep.name,
        title=config.title or sweep.name,
        about=config.about,
        recipe=sweep.recipe,
        directory=sweep.directory,
        units={name: figure.unit for name, figure in config.figures.items()},
        x_label=(axis.label or axis.value) if axis is not None else "",
        x_log=axis is not None and axis.log,
        members=tuple(_member(sweep, name) for name in sweep.members()),
        paper=with_rows(config.paper),
    )


def place_of_member(sweep: Sweep, run: SweepRun) -> float | str | None:
    """Where the run's member stands on the axis.

    Raises:
        RecipeError: the axis is no key of the recipe.
    """
    axis = sweep.file.config.x
    if axis is None:
        return None
    value = at_key(run.recipe, axis.value, sweep.file.place_of("x"))
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    deviation = stdev(values) if len(values) > 1 else None
    return Spread(fmean(values), deviation, min(values), max(values), len(values))


def _member(sweep: Sweep, name: str) -> MemberFigures:
    runs = sweep.of(name)
    read = tuple(RunFigures(run.seed, run.directory, _readings(sweep, run)) for run in runs)
    figures = {}
    for figure in sweep.file.config.figures:
        values = [value for run in read if (value := run.readings[figure].value) is not None]
        if values:
            figures[figure] = spread(values)
    return MemberFigures(name, place_of_member(sweep, runs[0]), read, figures)


def _readings(sweep: Sweep, run: SweepRun) -> dict[str, Reading]:
    try:
        return read_figures(sweep, run)
    except BadInput as error:  # one damaged run doesn't take the table from the others
        return {name: Reading(None, str(error)) for name in sweep.file.config.figures}
