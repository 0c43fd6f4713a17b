"""Needles in a haystack."""

from __future__ import annotations

import random
from collections.abc import Sequence

from prism.evaluate.ruler.draft import Draft
from prism.evaluate.ruler.haystack import Units, drawn, essay, hide, noise, spread_depth
from prism.evaluate.ruler.settings import NeedlesTest
from prism.evaluate.ruler.words import Distinct, maker

_JOINED = {"essay": " ", "noise": "\n", "needles": "\n"}


def needles(test: NeedlesTest, index: int, generator: random.Random, text: Sequence[str]) -> Draft:
    """Values hidden in a haystack. No key or value occurs elsewhere in it, none is part of another.

    Args:
        text: sentences of the essay.
    """
    known = _known(test, text)
    keys = Distinct(maker(generator, test.key_kind, test.key_words), known)
    values = Distinct(maker(generator, test.value_kind, test.value_words, test.value_length), known)
    told = {keys.draw(): [values.draw() for _ in range(test.values_per_key)] for _ in range(test.keys)}
    asked = generator.sample(list(told), test.queries)
    expected = tuple(value for key in asked for value in told[key])

    def sentence(key: str, value: str) -> str:
        return test.needle.format(kind=test.value_kind, key=key, value=value)

    hidden, depths = [], []
    for key, its in told.items():
        for value in its:
            hidden.append(sentence(key, value))
            depths.append(spread_depth(index) if value == expected[0] else generator.random())
    hay: Units
    if test.haystack == "noise":
        hay = noise(test.noise)
    elif test.haystack == "essay":
        hay = essay(text, generator)
    else:
        hay = drawn(lambda: sentence(keys.draw(), values.draw()))
    one = len(expected) == 1
    prompt, kind = (test.prompt_for_one, test.value_kind[:-1]) if one else (test.prompt, test.value_kind)
    query = asked[0] if len(asked) == 1 else f"{', '.join(asked[:-1])}, and {asked[-1]}"

    def write(units: int) -> str:
        context = _JOINED[test.haystack].join(hide(hay(units), hidden, depths))
        return prompt.format(kind=kind, context=context, query=query)

    places = {sentence(key, value): depth for (key, value), depth in zip(_pairs(told), depths, strict=True)}
    return Draft(expected, tuple(places[sentence(key, value)] for key in asked for value in told[key]), write)


def _pairs(told: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(key, value) for key, its in told.items() for value in its]


def _known(test: NeedlesTest, text: Sequence[str]) -> str:
    """What a key or value must not occur in."""
    wording = [test.needle, test.prompt, test.prompt_for_one]
    if test.haystack == "noise":
        wording.append(test.noise)
    elif test.haystack == "essay":
        wording.append(" ".join(text))
    return "\n".join(wording)
