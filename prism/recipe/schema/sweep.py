"""A sweep: one recipe run several times with other keys, and the figures that are set side by side."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from prism.recipe.schema.base import Section
from prism.recipe.versions import SWEEP

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"

Overrides = dict[str, Any] | list[str]
"""Keys with values, as in {midtrain.steps: 100}, or a list as --set takes them: [midtrain.steps=100]."""


class MemberConfig(Section):
    """One of the runs that are compared."""

    overrides: Overrides = Field(default_factory=dict, description="Recipe keys that this member changes.")


class FigureConfig(Section):
    """A column of the table."""

    value: str = Field(description="Expression over a run's figures, as in claims: pass_rate('mid', 'math').")
    unit: str = Field("", description="Unit of the value; figures of one unit share a plot.")


class AxisConfig(Section):
    """Where a member stands on the plot's axis."""

    value: str = Field(
        description="Recipe key (midtrain.sequence_length), or key of a stage with its `with` applied (mid.tokens)."
    )
    label: str = Field("", description="Label of the axis; the key by default.")
    log: bool = Field(False, description="Logarithmic axis.")


class PaperConfig(Section):
    """What the paper found, to stand beside."""

    table: str = Field(description="Table in the paper, such as Table 3.")
    model: str = Field("", description="Model of the paper's table.")
    finding: str = Field("", description="What the paper concludes, in our words.")
    rows: int | None = Field(None, description="Number of the paper's table of benchmarks whose rows are shown.")
    lines: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Figures beside those of rows: line -> {column: value}."
    )


class SweepConfig(Section):
    """A sweep file. Composed with its recipe by `prism.sweep.members`."""

    schema_version: int = Field(SWEEP.version, description="Version of this schema.")
    name: str | None = Field(None, pattern=_NAME, description="Folder below run.directory; null means the file's name.")
    title: str = Field("", description="Heading of the table.")
    about: str = Field("", description="What is compared and what to mind, in a few sentences.")
    recipe: str = Field(description="Name of a packaged recipe, or a path.")
    overrides: Overrides = Field(default_factory=dict, description="Recipe keys that every member changes.")
    members: dict[str, MemberConfig] = Field(default_factory=dict, description="The runs, by name; or grid.")
    grid: dict[str, list[Any]] = Field(
        default_factory=dict, description="Recipe key -> values: every combination is a member."
    )
    seeds: list[int] = Field(
        default_factory=list, description="Seeds (run.seed) with which every member is run; none: the recipe's own."
    )
    only: list[str] | None = Field(
        None, description="Nodes to run with what they need; null means those that the figures are read from."
    )
    figures: dict[str, FigureConfig] = Field(description="Columns of the table, by name.")
    x: AxisConfig | None = Field(None, description="The plot's axis; null means one place a member, by name.")
    paper: PaperConfig | None = Field(None, description="The paper's own figures.")

    @field_validator("figures", mode="before")
    @classmethod
    def _short_figures(cls, value: Any) -> Any:
        """An expression alone stands for {value: expression}."""
        if not isinstance(value, dict):
            return value
        return {name: {"value": entry} if isinstance(entry, str) else entry for name, entry in value.items()}

    @field_validator("x", mode="before")
    @classmethod
    def _short_axis(cls, value: Any) -> Any:
        """A key alone stands for {value: key}."""
        return {"value": value} if isinstance(value, str) else value
