"""General text: facts about people and their things. What mid-training must not forget."""

from __future__ import annotations

import random
from typing import Any

from data_prep.world.vocabulary import COLOURS, NAMES, OBJECTS


class Facts:
    """Who has which object in which colour, and who likes whom; drawn once from the world's seed."""

    def __init__(self, generator: random.Random) -> None:
        self._colour = {(name, thing): generator.choice(COLOURS) for name in NAMES for thing in OBJECTS}
        self._likes = {name: generator.choice(NAMES) for name in NAMES}

    def document(self, generator: random.Random) -> str:
        """A sentence in one of two forms; three in ten say the same fact in both; one in twenty says who likes whom."""
        kind = generator.random()
        name, thing = generator.choice(NAMES), generator.choice(OBJECTS)
        colour = self._colour[name, thing]
        if kind < 0.3:
            return f"{name} has a {colour} {thing} . the {thing} of {name} is {colour} ."
        if kind < 0.65:
            return f"the {thing} of {name} is {colour} ."
        if kind < 0.95:
            return f"{name} has a {colour} {thing} ."
        return f"{name} likes {self._likes[name]} ."

    def question(self, number: int, generator: random.Random) -> dict[str, Any]:
        """A multiple-choice question on a colour, four options."""
        name, thing = generator.choice(NAMES), generator.choice(OBJECTS)
        colour = self._colour[name, thing]
        options = [*generator.sample([other for other in COLOURS if other != colour], 3), colour]
        generator.shuffle(options)
        return {
            "id": f"fact-{number}",
            "context": f"the {thing} of {name} is",
            "choices": options,
            "answer": options.index(colour),
        }
