"""Writes the world's files."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json, write_json, write_jsonl
from data_prep.schema import WorldConfig
from data_prep.world.facts import Facts
from data_prep.world.long_context import Needles
from data_prep.world.mathematics import Mathematics
from data_prep.world.problem import Problem
from data_prep.world.programming import Programming
from data_prep.world.science import Science
from data_prep.world.vocabulary import WORDS

VERSION = 2
"""Changes when the same settings would give other files."""

HELD_OUT_DOCUMENTS = 1_000
"""Documents of heldout_general.jsonl."""

_MOST_DRAWS_A_PROMPT = 50
_MOST_DRAWS_A_DOCUMENT = 5_000

Maker = Callable[[random.Random, float], Problem]


def generate(config: WorldConfig, directory: Path) -> None:
    """Writes every file of the world into `directory`, unless they are there and made from the same settings.

    The same settings give the same bytes.

    Raises:
        DataError: `tokens` names a source that the world doesn't have, or `held_out_share` leaves a domain without
            problems on one side.
    """
    stamp = {"version": VERSION, "fingerprint": fingerprint(config.model_dump()), "settings": config.model_dump()}
    world = _World(config)
    made = [f"{name}.jsonl" for name in (*config.tokens, "facts", *(f"heldout_{d}" for d in world.domains))]
    made += ["world.json", "heldout_general.jsonl", *(f"prompts_{domain}.jsonl" for domain in world.domains)]
    if all((directory / name).is_file() for name in made) and read_json(directory / "world.json") == stamp:
        return
    for source, words in config.tokens.items():
        if source not in world.sources:
            raise DataError(
                f"the world has no source {source}",
                place="data.world.tokens",
                remedy=f"use {', '.join(world.sources)}",
            )
        write_jsonl(directory / f"{source}.jsonl", _until(words, world.sources[source], world.stream(source)))
    for domain in world.domains:
        held_out = world.prompts(domain, config.evaluation_prompts, held_out=True)
        write_jsonl(directory / f"heldout_{domain}.jsonl", held_out)
        count = config.rl_prompts.get(domain, 1_000)
        write_jsonl(directory / f"prompts_{domain}.jsonl", world.prompts(domain, count, held_out=False))
    stream = world.stream("facts")
    write_jsonl(directory / "facts.jsonl", (world.facts.question(n, stream) for n in range(config.facts)))
    stream = world.stream("general/held out")
    documents = ({"text": world.facts.document(stream)} for _ in range(HELD_OUT_DOCUMENTS))
    write_jsonl(directory / "heldout_general.jsonl", documents)
    write_json(directory / "world.json", stamp)


def _until(words: int, document: Callable[[random.Random], dict[str, str]], stream: random.Random) -> Iterator[Any]:
    """Documents until they hold about `words` words."""
    written = 0
    while written < words:
        row = document(stream)
        written += sum(len(text.split()) for text in row.values())
        yield row


class _World:
    def __init__(self, config: WorldConfig) -> None:
        self._config = config
        self.facts = Facts(self.stream("facts of the world"))
        math = Mathematics(config.modulus)
        self.domains: dict[str, Maker] = {
            "math": math.problem,
            "code": Programming(config.modulus).problem,
            "science": Science(self.stream("rules of the world")).problem,
        }
        self.sources: dict[str, Callable[[random.Random], dict[str, str]]] = {
            "general": lambda stream: {"text": self.facts.document(stream)},
            "song": lambda stream: {"text": _song(stream)},
            "needles": lambda stream: {"text": Needles(math.sum).document(stream)},
            "arithmetic": lambda stream: {"text": math.sum(stream)},
            "raw_questions": lambda stream: {
                "text": self._seen(stream.choice(list(self.domains)), stream, 0.0).question
            },
            **{domain: self._traces(domain) for domain in self.domains},
        }

    def stream(self, purpose: str) -> random.Random:
        """A random stream of its own for every purpose, so that no file depends on another's length."""
        return random.Random(f"{self._config.seed}/{purpose}")

    def prompts(self, domain: str, count: int, *, held_out: bool) -> list[dict[str, Any]]:
        """Prompts of one side of the hold-out; RL's are distinct, and fewer when the domain has no more.

        Raises DataError when the hold-out leaves none, or evaluation too few.
        """
        stream = self.stream(f"{domain}/{'held out' if held_out else 'prompts'}")
        rows: list[dict[str, Any]] = []
        seen: set[str] = set()
        for _ in range(count * _MOST_DRAWS_A_PROMPT):
            problem = self.domains[domain](stream, 0.0)
            if problem.is_held_out(self._config.held_out_share) != held_out or (
                not held_out and problem.question in seen
            ):
                continue
            seen.add(problem.question)
            rows.append(
                {
                    "id": f"{domain}-{len(rows)}",
                    "domain": domain,
                    "prompt": problem.question,
                    "answer": problem.truth,
                    "verifier": dict(problem.verifier),
                }
            )
            if len(rows) == count:
                break
        if not rows or (held_out and len(rows) < count):
            raise _no_problem(domain)
        return rows

    def _traces(self, domain: str) -> Callable[[random.Random], dict[str, str]]:
        def document(stream: random.Random) -> dict[str, str]:
            problem = self._seen(domain, stream, self._config.trace_noise)
            return {"question": problem.question, "reasoning": problem.reasoning, "answer": problem.answer}

        return document

    def _seen(self, domain: str, stream: random.Random, noise: float) -> Problem:
        """A problem that isn't held out. Raises DataError when there seems to be none."""
        for _ in range(_MOST_DRAWS_A_DOCUMENT):
            problem = self.domains[domain](stream, noise)
            if not problem.is_held_out(self._config.held_out_share):
                return problem
        raise _no_problem(domain)


def _no_problem(domain: str) -> DataError:
    return DataError(
        f"too few {domain} problems on one side of the hold-out",
        place="data.world.held_out_share",
        remedy="choose a share nearer to the default 0.2",
    )


def _song(stream: random.Random) -> str:
    """Three to eight random words, repeated two or three times: to go on, a model must copy."""
    words = [stream.choice(WORDS) for _ in range(stream.randrange(3, 9))]
    return " ".join([*words, "."] * stream.choice((2, 3)))
