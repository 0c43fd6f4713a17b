"""Haystacks: sentences without end, and what is hidden between them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from prism.errors import BadInput

Units = Callable[[int], list[str]]
"""The first so many sentences; more of them begin with the fewer."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_GOLDEN = 0.6180339887498949


def sentences(texts: Sequence[str]) -> list[str]:
    """Texts cut after full stops, exclamation and question marks; white space is one blank."""
    return [sentence for text in texts for sentence in _SENTENCE_END.split(" ".join(text.split())) if sentence]


def noise(sentence: str) -> Units:
    """One sentence again and again."""
    return lambda count: [sentence] * count


def essay(found: Sequence[str], generator: random.Random) -> Units:
    """Sentences in their order from a random one on; after the last comes the first.

    Raises:
        BadInput: there are none.
    """
    if not found:
        raise BadInput("no text", place="RULER task", remedy="give a text in the task's path")
    start = generator.randrange(len(found))
    return lambda count: [found[(start + number) % len(found)] for number in range(count)]


def drawn(draw: Callable[[], str]) -> Units:
    """Sentences made as they are needed, and kept."""
    made: list[str] = []

    def units(count: int) -> list[str]:
        while len(made) < count:
            made.append(draw())
        return made[:count]

    return units


def hide(hay: Sequence[str], hidden: Sequence[str], depths: Sequence[float]) -> list[str]:
    """`hidden` between the sentences of `hay`: `hidden[i]` after a share of `depths[i]` of them."""
    places = [round(depth * len(hay)) for depth in depths]
    parts: list[str] = []
    last = 0
    for number in sorted(range(len(hidden)), key=lambda number: depths[number]):
        parts += [*hay[last : places[number]], hidden[number]]
        last = places[number]
    return [*parts, *hay[last:]]


def spread_depth(index: int) -> float:
    """A depth from 0 to 1 for prompt `index`: those of any run of prompts lie evenly over the whole."""
    return (index + 0.5) * _GOLDEN % 1.0
