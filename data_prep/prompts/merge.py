"""Shards of several sources to one set: repeated prompts dropped, the draw of each source made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.prompts.row import PreparedPrompt
from data_prep.prompts.shard import read_shard


@dataclass(frozen=True)
class SourceShards:
    """A source's shards, and how many of its prompts are drawn; None takes all."""

    name: str
    folder: Path
    units: int
    draw: int | None

    def prompts(self) -> Iterator[PreparedPrompt]:
        for unit in range(self.units):
            yield from read_shard(self.folder, unit)


@dataclass
class Merged:
    """What became of a source's prompts."""

    repeated: int = 0
    repeated_with_other_answer: int = 0
    not_drawn: int = 0
    prompts: int = 0
    tests_left_out: int = 0


def choose(sources: Sequence[SourceShards], seed: int) -> tuple[list[npt.NDArray[np.bool_]], list[Merged]]:
    """Which prompts of each source belong to the set, by place, and the counts.

    The first of equal prompts is kept. A source's draw takes those with the smallest hash of seed and key, so it
    depends neither on their order nor on the units. Holds two numbers a prompt.
    """
    answers: dict[int, int] = {}
    chosen, counts = [], []
    for source in sources:
        count, is_new, order = Merged(), list[bool](), list[int]()
        for prompt in source.prompts():
            answer = _hash(seed, str(prompt.row["answer"]))
            before = answers.get(prompt.key)
            is_new.append(before is None)
            order.append(_hash(seed, f"{source.name}\0{prompt.key}"))
            if before is None:
                answers[prompt.key] = answer
                count.prompts += 1
            else:
                count.repeated += 1
                count.repeated_with_other_answer += before != answer
        keeps = np.array(is_new, dtype=np.bool_)
        if source.draw is not None and count.prompts > source.draw:
            hashes = np.array(order, dtype=np.uint64)
            keeps &= hashes <= np.partition(hashes[keeps], source.draw - 1)[source.draw - 1]
            count.not_drawn, count.prompts = count.prompts - int(keeps.sum()), int(keeps.sum())
        chosen.append(keeps)
        counts.append(count)
    return chosen, counts


def chosen_rows(
    sources: Sequence[SourceShards], chosen: Sequence[npt.NDArray[np.bool_]], counts: Sequence[Merged]
) -> Iterator[dict[str, Any]]:
    """The rows of the set, source after source; counts the tests that they leave out."""
    for source, keeps, count in zip(sources, chosen, counts, strict=True):
        for kept, prompt in zip(keeps, source.prompts(), strict=True):
            if kept:
                count.tests_left_out += prompt.tests_left_out
                yield prompt.row


def _hash(seed: int, text: str) -> int:
    content = f"{seed}\0{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())
