"""Code: find the program a x + b behind three examples; checked by running the answer on every x."""

from __future__ import annotations

import random

from data_prep.world.problem import Problem


class Programming:
    """`Q code f 1 = 2 ; f 4 = 1 ; f 0 = 3 ?` The answer is an expression in x."""

    def __init__(self, modulus: int) -> None:
        self._modulus = modulus

    def problem(self, generator: random.Random, noise: float) -> Problem:
        """The trace reads off f 0 and f 1 and takes their difference, wrong with probability `noise`."""
        modulus = self._modulus
        slope, offset = generator.randrange(modulus), generator.randrange(modulus)
        values = [(slope * x + offset) % modulus for x in range(modulus)]
        points = [0, 1, generator.randrange(2, modulus)]
        generator.shuffle(points)
        guess = generator.randrange(modulus) if generator.random() < noise else slope
        examples = " ; ".join(f"f {x} = {values[x]}" for x in points)
        return Problem(
            question=f"Q code {examples} ?",
            reasoning=f"f 0 = {offset} ; f 1 = {values[1]} ; {values[1]} - {offset} = {guess}",
            answer=f"x * {guess} + {offset}",
            truth=f"x * {slope} + {offset}",
            verifier={
                "kind": "code",
                "test": "expression",
                "variable": "x",
                "modulus": modulus,
                "cases": [[x, value] for x, value in enumerate(values)],
            },
        )
