"""Where the paper's own figures and sentences disagree: contradictions.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from prism.paper.figures import Labels, PaperRow
from prism.paper.reading import FOLDER, read


@dataclass(frozen=True, config={"extra": "forbid"})
class Cell:
    """A figure of a table, with the value that it has there."""

    table: int
    model: str
    at: Labels
    column: str
    value: float


@dataclass(frozen=True, config={"extra": "forbid"})
class Statement:
    """A figure that the text or a caption states."""

    place: str
    says: str


@dataclass(frozen=True, config={"extra": "forbid"})
class Contradiction:
    """`figures` are in question, `inputs` are not; `recomputed` is what the paper's own figures give."""

    about: str
    figures: tuple[Cell, ...] = ()
    inputs: tuple[Cell, ...] = ()
    statements: tuple[Statement, ...] = ()
    recomputed: float | None = None
    note: str = ""

    def told(self) -> str:
        """In a sentence."""
        places = list(dict.fromkeys(f"{cell.value:g} in Table {cell.table}" for cell in (*self.figures, *self.inputs)))
        places += [f"{one.says} in {one.place}" for one in self.statements]
        ending = f"; recomputed {self.recomputed:g}" if self.recomputed is not None else ""
        return f"the paper disagrees with itself on {self.about}: {', '.join(places)}{ending}"


@cache
def contradictions() -> Mapping[str, Contradiction]:
    """By name. Raises BadInput for a damaged file."""
    return TypeAdapter(Mapping[str, Contradiction]).validate_python(read(FOLDER / "contradictions.yaml", dict))


def disputes(table: int, row: PaperRow, column: str) -> tuple[Contradiction, ...]:
    """What there is to say against a figure."""
    place = (table, row.model, dict(row.at), column)
    return tuple(
        one
        for one in contradictions().values()
        if any((cell.table, cell.model, dict(cell.at), cell.column) == place for cell in one.figures)
    )
