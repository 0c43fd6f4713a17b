"""Frequent words extraction."""

from __future__ import annotations

import math
import random
import string
from itertools import pairwise

from prism.evaluate.ruler.draft import Draft
from prism.evaluate.ruler.settings import FrequentWordsTest

_TOKENS_A_WORD = 50
"""A vocabulary holds a word for so many tokens of length."""
_ANSWERS = 3
_ZETA_TERMS = 1_000


def frequent_words(test: FrequentWordsTest, length: int, generator: random.Random) -> Draft:
    """Shuffled words whose counts fall by a zeta law; the second to the fourth are expected. Units are words in all.

    No fewer are written than set the expected three apart from the rest.
    """
    vocabulary = _vocabulary(test, length, generator)
    seed = generator.getrandbits(64)

    def write(units: int) -> str:
        counts = zeta_counts(units, len(vocabulary), test.alpha)
        words = [word for word, count in zip(vocabulary, counts, strict=True) for _ in range(count)]
        random.Random(seed).shuffle(words)
        return test.prompt.format(context=" ".join(words))

    return Draft(tuple(vocabulary[1 : 1 + _ANSWERS]), (), write, least=_least(len(vocabulary), test.alpha))


def zeta_counts(words: int, vocabulary: int, alpha: float) -> list[int]:
    """Whole counts of the words of rank 1, 2, ...: words x rank^-alpha / zeta(alpha), rounded down."""
    scale = words / zeta(alpha)
    return [int(scale * rank**-alpha) for rank in range(1, vocabulary + 1)]


def zeta(alpha: float) -> float:
    """Riemann's zeta function for alpha > 1: a sum, and the Euler-Maclaurin estimate of its rest."""
    terms = _ZETA_TERMS
    rest = (
        math.pow(terms, 1 - alpha) / (alpha - 1)
        - math.pow(terms, -alpha) / 2
        + alpha * math.pow(terms, -alpha - 1) / 12
    )
    return math.fsum(math.pow(rank, -alpha) for rank in range(1, terms + 1)) + rest


def _least(vocabulary: int, alpha: float) -> int:
    """Fewest words with which the second to fifth ranks have different counts, and go on having them."""
    words = 2 * _TOKENS_A_WORD
    while True:
        counts = [zeta_counts(more, vocabulary, alpha)[1 : 2 + _ANSWERS] for more in range(words, words + _ANSWERS)]
        if all(one > other for line in counts for one, other in pairwise(line)):
            return words
        words += 1


def _vocabulary(test: FrequentWordsTest, length: int, generator: random.Random) -> list[str]:
    """The noise, then words of which none is part of another, most frequent first."""
    size = max(length // _TOKENS_A_WORD, _ANSWERS + 2)
    if test.words:
        words = generator.sample(sorted(set(test.words)), min(size, len(set(test.words))))
        return [test.noise, *words]
    drawn: dict[str, None] = {}
    while len(drawn) < size:
        word = "".join(generator.choices(string.ascii_lowercase, k=test.word_length))
        if word not in test.prompt:
            drawn[word] = None
    return [test.noise, *drawn]
