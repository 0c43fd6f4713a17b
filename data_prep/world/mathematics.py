"""Math: arithmetic modulo a small number in one to three steps."""

from __future__ import annotations

import random

from data_prep.world.problem import Problem
from data_prep.world.vocabulary import STEPS


class Mathematics:
    """`Q calc 4 ; s1 + 2 ; s2 * 3 ?` The step labels are what lets a small model keep its place."""

    def __init__(self, modulus: int) -> None:
        self._modulus = modulus

    def problem(self, generator: random.Random, noise: float) -> Problem:
        """A step of the trace is wrong with probability `noise`, and the error is carried on."""
        modulus = self._modulus
        steps = generator.choice((1, 2, 3))
        written = true = generator.randrange(modulus)
        question, trace = [str(written)], []
        for label in STEPS[:steps]:
            operator, value = generator.choice("+-*"), generator.randrange(modulus)
            question.append(f"{label} {operator} {value}")
            result = self._apply(written, operator, value)
            true = self._apply(true, operator, value)
            if generator.random() < noise:
                result = generator.randrange(modulus)
            trace.append(f"{label} {operator} {value} . {written} = {result}")
            written = result
        return Problem(
            question=f"Q calc {' ; '.join(question)} ?",
            reasoning=" ; ".join(trace),
            answer=str(written),
            truth=str(true),
            verifier={"kind": "exact"},
        )

    def sum(self, generator: random.Random) -> str:
        """A bare sum, for the arithmetic source."""
        left, right, operator = (
            generator.randrange(self._modulus),
            generator.randrange(self._modulus),
            generator.choice("+-*"),
        )
        return f"{left} {operator} {right} = {self._apply(left, operator, right)} ."

    def _apply(self, left: int, operator: str, right: int) -> int:
        result = {"+": left + right, "-": left - right, "*": left * right}[operator]
        return result % self._modulus
