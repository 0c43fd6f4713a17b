"""The paper's benchmarks and the averages over them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from prism.paper.reading import FOLDER, read

Choices = Annotated[int, Field(gt=1)]


@dataclass(frozen=True, config={"extra": "forbid"})
class Benchmark:
    """`tasks`: our tasks that measure it, the first that a run has counts. `settings`: how the paper sampled.

    metrics: whose mean is the score; none means the task's main metric.
    choices: answers to choose from, of the task or by subtask, where what guessing gives counts as 0; None: it counts.
    """

    title: str
    tasks: tuple[str, ...] = Field(min_length=1)
    settings: Mapping[str, float] = Field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    choices: Choices | Mapping[str, Choices] | None = None


@dataclass(frozen=True, config={"extra": "forbid"})
class Average:
    """Mean of its parts, which are benchmarks or averages."""

    title: str
    parts: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True, config={"extra": "forbid"})
class Benchmarks:
    benchmarks: Mapping[str, Benchmark]
    averages: Mapping[str, Average]

    @model_validator(mode="after")
    def _parts_are_known(self) -> Benchmarks:
        known = {*self.benchmarks, *self.averages}
        unknown = [part for average in self.averages.values() for part in average.parts if part not in known]
        if unknown:
            raise ValueError(f"an average has an unknown part: {unknown[0]}")
        return self

    def title(self, name: str) -> str:
        """Of a benchmark or an average, as the paper heads its columns."""
        return (self.benchmarks.get(name) or self.averages[name]).title


@cache
def benchmarks() -> Benchmarks:
    """Raises BadInput for a damaged file."""
    return read(FOLDER / "benchmarks.yaml", Benchmarks)
