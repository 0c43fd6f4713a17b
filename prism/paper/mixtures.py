"""What the paper's mixtures are made of (Figure 2, Tables 1 and 18)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic.dataclasses import dataclass

from prism.paper.reading import FOLDER, read


@dataclass(frozen=True, config={"extra": "forbid"})
class Tokens:
    """Billions of tokens by source."""

    table: int
    sources: Mapping[str, float]


@dataclass(frozen=True, config={"extra": "forbid"})
class Mixtures:
    """`weights`: mixture -> source -> percent (Figure 2)."""

    tokens: Tokens
    long_context_tokens: Tokens
    weights: Mapping[str, Mapping[str, float]]


@cache
def mixtures() -> Mixtures:
    """Raises BadInput for a damaged file."""
    return read(FOLDER / "mixtures.yaml", Mixtures)
