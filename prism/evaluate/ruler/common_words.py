"""Common words extraction."""

from __future__ import annotations

import random
from collections.abc import Sequence

from prism.errors import BadInput
from prism.evaluate.ruler.draft import Draft
from prism.evaluate.ruler.settings import CommonWordsTest
from prism.evaluate.ruler.words import english_words

_SHORT_TOKENS = 4_096
"""Below it words are repeated less, and examples are smaller: (words, repeats of common ones, of others)."""
_EXAMPLE, _SHORT_EXAMPLE = (40, 10, 3), (20, 3, 1)
_SHORT_COMMON, _SHORT_OTHER = 5, 3


def common_words(test: CommonWordsTest, length: int, generator: random.Random) -> Draft:
    """A shuffled list in which some words are common; units are the words that aren't.

    Raises:
        BadInput: there are fewer words than common ones.
    """
    short = length < _SHORT_TOKENS
    often = max(2, test.common_repeats // _SHORT_COMMON) if short else test.common_repeats
    seldom = max(1, test.other_repeats // _SHORT_OTHER) if short else test.other_repeats
    words = _words(test, generator)
    if len(words) <= test.common:
        raise BadInput(
            f"{len(words)} different words for {test.common} common ones",
            place="common_words",
            remedy="give more words",
        )
    solved = "".join(_example(test, generator, *(_SHORT_EXAMPLE if short else _EXAMPLE)) for _ in range(test.examples))
    common, others, seed = words[: test.common], words[test.common :], generator.getrandbits(64)

    def write(units: int) -> str:
        listed = common * often + others[:units] * seldom
        return solved + _ask(test, _listed(test, listed, random.Random(seed)))

    return Draft(tuple(common), (), write, least=1, most=len(others))


def _words(test: CommonWordsTest, generator: random.Random) -> list[str]:
    if not test.words:
        return english_words(generator)
    words = sorted(set(test.words))
    generator.shuffle(words)
    return words


def _listed(test: CommonWordsTest, words: Sequence[str], generator: random.Random) -> str:
    order = list(words)
    generator.shuffle(order)
    return " ".join(f"{number}. {word}" if test.numbered else word for number, word in enumerate(order, 1))


def _ask(test: CommonWordsTest, context: str) -> str:
    return test.prompt.format(context=context, count=test.common)


def _example(test: CommonWordsTest, generator: random.Random, words: int, often: int, seldom: int) -> str:
    drawn = _words(test, generator)
    common, others = drawn[: test.common], drawn[test.common : words]
    answer = " ".join(f"{number}. {word}" if test.numbered else word for number, word in enumerate(common, 1))
    return f"{_ask(test, _listed(test, common * often + others * seldom, generator))} {answer}\n"
