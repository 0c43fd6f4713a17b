"""Science: what becomes of a substance under one to three actions, four options, answered with the word."""

from __future__ import annotations

import random

from data_prep.world.problem import Problem
from data_prep.world.vocabulary import ACTIONS, SUBSTANCES


class Science:
    """`Q sci water under heat ? glass fire ice iron`. The rules are drawn once from the world's seed."""

    def __init__(self, generator: random.Random) -> None:
        self._rule = {
            (action, substance): generator.choice(SUBSTANCES) for action in ACTIONS for substance in SUBSTANCES
        }

    def problem(self, generator: random.Random, noise: float) -> Problem:
        """A step of the trace is wrong with probability `noise`, and the error is carried on."""
        hops = generator.choice((1, 2, 3))
        start = written = true = generator.choice(SUBSTANCES)
        actions = [generator.choice(ACTIONS) for _ in range(hops)]
        trace = []
        for action in actions:
            true = self._rule[action, true]
            result = generator.choice(SUBSTANCES) if generator.random() < noise else self._rule[action, written]
            trace.append(f"{action} {written} gives {result}")
            written = result
        options = [*generator.sample([other for other in SUBSTANCES if other != true], 3), true]
        generator.shuffle(options)
        return Problem(
            question=f"Q sci {start} under {' then '.join(actions)} ? {' '.join(options)}",
            reasoning=" ; ".join(trace),
            answer=written,
            truth=true,
            verifier={"kind": "choice", "choices": options, "letters": False},
        )
