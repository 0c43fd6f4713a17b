"""Long documents: codes of things, told anywhere in a long text and asked for at its end."""

from __future__ import annotations

import random
from collections.abc import Callable

from data_prep.world.vocabulary import ACTIONS, COLOURS, NAMES, OBJECTS, SUBSTANCES

KEYS = (*SUBSTANCES, *ACTIONS)
VALUES = (*NAMES, *OBJECTS, *COLOURS)
NOISE = "then x and f has a likes ."
"""What lies between the codes in half of the documents; in the others it is sums. Neither holds a key or a value."""

_SHORTEST, _LONGEST = 16, 252
_MOST_CODES = 6
_TOLD_AGAIN = (0.0, 0.3, 0.9)


class Needles:
    """`... code salt anna . ... code iron gold . ... Q code salt anna`, the codes anew in every document.

    16 to 252 words, every doubling as likely as another. Between them may be much or little: of the sentences that are
    left, none, a third or nearly all tell a code again.
    """

    def __init__(self, between: Callable[[random.Random], str]) -> None:
        self._between = between

    def document(self, generator: random.Random) -> str:
        """Each code is told at least once; one or more of them are asked for."""
        length = int(_SHORTEST * (_LONGEST / _SHORTEST) ** generator.random() + 0.5)
        count = generator.randint(1, min(_MOST_CODES, length // 12))
        pairs = zip(generator.sample(KEYS, count), generator.sample(VALUES, count), strict=True)
        codes = [f"code {key} {value}" for key, value in pairs]
        asked = generator.sample(codes, generator.randint(1, max(1, min(count, length // 24))))
        questions = " . ".join(f"Q {code}" for code in asked)
        told = [f"{code} ." for code in codes]
        room = length - sum(len(sentence.split()) for sentence in (*told, questions))
        text = self._rest(generator, told, room)
        for sentence in told:
            text.insert(generator.randint(0, len(text)), sentence)
        return " ".join([*text, questions])

    def _rest(self, generator: random.Random, told: list[str], room: int) -> list[str]:
        """Sentences of at most `room` words together."""
        again, noise = generator.choice(_TOLD_AGAIN), generator.random() < 0.5
        sentences: list[str] = []
        while True:
            between = NOISE if noise else self._between(generator)
            sentence = generator.choice(told) if generator.random() < again else between
            room -= len(sentence.split())
            if room < 0:
                return sentences
            sentences.append(sentence)
