"""The packaged cards as they are written, without the schema that reads them."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from data_prep.errors import UsageError

_CARDS = Path(__file__).parent / "cards"


def cards() -> list[str]:
    """Names of the cards, sorted."""
    return sorted(path.stem for path in _CARDS.glob("*.yaml"))


def card_values(name: str) -> dict[str, Any]:
    """The keys of a card.

    Raises:
        UsageError: there is no card of this name.
    """
    return dict(_load(name))


@cache
def _load(name: str) -> dict[str, Any]:
    known = cards()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"no card named {name!r}",
            place="data.sources.<name>.card",
            remedy=f"use {near[0]}"
            if near
            else f"use one of {', '.join(known)}, or describe the source without a card",
        )
    values: dict[str, Any] = yaml.safe_load((_CARDS / f"{name}.yaml").read_text(encoding="utf-8"))
    return values
