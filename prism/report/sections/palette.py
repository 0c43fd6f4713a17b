"""One colour for one thing on the whole page."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from prism.report.results import Pair, Results

_BY_DOMAIN = {"math": 0, "code": 1, "science": 2, "general": 7}


def colours(names: Iterable[str]) -> dict[str, int]:
    """Domains, and sources named like them, keep their colours; the others take those that are left, in order."""
    wanted = list(dict.fromkeys(names))
    fixed = {name: _BY_DOMAIN[name] for name in wanted if name in _BY_DOMAIN}
    free = iter([index for index in range(len(wanted) + 8) if index not in fixed.values()])
    return {name: fixed[name] if name in fixed else next(free) for name in wanted}


def in_order(names: Iterable[str], first: Iterable[str]) -> list[str]:
    """`names` with those of `first` in front."""
    wanted = list(names)
    front = [name for name in first if name in wanted]
    return front + [name for name in wanted if name not in front]


def pairs(results: Results) -> list[Pair]:
    """Compared pairs: those along the main chain first."""
    chain = results.main_chain()
    along = list(pairwise(chain))
    known = list(dict.fromkeys([*results.weights, *results.cka]))
    return [pair for pair in along if pair in known] + sorted(pair for pair in known if pair not in along)


def pair_name(pair: Pair) -> str:
    return f"{pair[0]} → {pair[1]}"
